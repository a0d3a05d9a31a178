-- Links to clients: a token is derived, so only its hash is kept. Another generation supersedes those before it.

CREATE TABLE link (
    hash       BLOB PRIMARY KEY NOT NULL, -- SHA-256 of the token
    purpose    TEXT NOT NULL,             -- book, visit, proposal
    subject    TEXT NOT NULL,             -- what it is for: request:<id>, visit:<id>, proposal:<id>
    generation INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX link_of_subject ON link (purpose, subject, generation);
