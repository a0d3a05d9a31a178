-- Contacts: who asks for visits, what they are known by, and the inquiry that each new one began with.

CREATE TABLE contact (
    id      TEXT PRIMARY KEY NOT NULL,
    name    TEXT NOT NULL,
    owner   TEXT,             -- the agent who looks after it
    state   TEXT NOT NULL CHECK (state IN ('active', 'retired')),
    made_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE contact_identifier (
    contact_id TEXT NOT NULL REFERENCES contact (id),
    kind       TEXT NOT NULL CHECK (kind IN ('email', 'phone', 'tax_id')),
    value      TEXT NOT NULL, -- in its normal form
    PRIMARY KEY (contact_id, kind, value)
) STRICT, WITHOUT ROWID;

CREATE INDEX contact_by_identifier ON contact_identifier (kind, value);

CREATE TABLE inquiry (
    id         TEXT PRIMARY KEY NOT NULL,
    contact_id TEXT NOT NULL REFERENCES contact (id),
    visit_id   TEXT NOT NULL REFERENCES visit (id),
    agent_id   TEXT,          -- who is to look after it
    state      TEXT NOT NULL CHECK (state IN ('open', 'worked')),
    why        TEXT NOT NULL,
    made_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX inquiry_by_time ON inquiry (made_at, id);
CREATE INDEX inquiry_of_agent ON inquiry (agent_id, made_at, id);
CREATE INDEX inquiry_of_contact ON inquiry (contact_id);
CREATE INDEX inquiry_of_visit ON inquiry (visit_id);
