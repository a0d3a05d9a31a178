-- Proposals: windows that clients name. They hold no time; what was accepted is a visit.

CREATE TABLE proposal (
    id         TEXT PRIMARY KEY NOT NULL,
    name       TEXT,              -- the maker's own: asked for again, it is the same proposal
    state      TEXT NOT NULL CHECK (state IN ('open', 'answered', 'accepted', 'declined')),
    visit_id   TEXT REFERENCES visit (id),
    made_at    INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    details    TEXT NOT NULL,     -- contact, recipient, property, windows …
    CHECK ((state = 'accepted') = (visit_id IS NOT NULL))
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX proposal_by_name ON proposal (name) WHERE name IS NOT NULL;
CREATE INDEX proposal_of_visit ON proposal (visit_id) WHERE visit_id IS NOT NULL;
