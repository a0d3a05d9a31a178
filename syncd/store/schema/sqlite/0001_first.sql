-- Times are UTC epoch seconds. JSON documents carry the rest of a value; what is searched or compared is a column.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Visits: the only thing that holds an agent's time.

CREATE TABLE visit (
    id             TEXT PRIMARY KEY NOT NULL,
    version        INTEGER NOT NULL CHECK (version > 0),
    state          TEXT NOT NULL CHECK (state IN ('pending', 'confirmed', 'conflict', 'cancelled')),
    project_id     TEXT,
    event_type_id  TEXT,
    agent_id       TEXT,
    start_at       INTEGER NOT NULL,
    end_at         INTEGER NOT NULL CHECK (start_at < end_at),
    guard_start    INTEGER NOT NULL,
    guard_end      INTEGER NOT NULL CHECK (guard_start < guard_end),
    holds          INTEGER NOT NULL CHECK (holds IN (0, 1)),
    request_id     TEXT,
    source_account TEXT NOT NULL,
    source_id      TEXT,
    details        TEXT NOT NULL
) STRICT;

CREATE INDEX visit_holds ON visit (agent_id, guard_start, guard_end) WHERE holds = 1;
CREATE INDEX visit_of_agent ON visit (agent_id, end_at, start_at);
CREATE INDEX visit_by_time ON visit (end_at, start_at);
CREATE INDEX visit_of_request ON visit (request_id) WHERE request_id IS NOT NULL;
CREATE INDEX visit_turns ON visit (project_id, event_type_id, agent_id) WHERE state IN ('pending', 'confirmed');

-- No two holds of one agent overlap. On a table where that is so, only the last of the others that starts before the
-- new one ends can be in the way: one look into visit_holds, however many visits there are. The row itself is left
-- out, because a BEFORE INSERT trigger fires before REPLACE or ON CONFLICT finds out that it is there already.

CREATE TRIGGER visit_insert_guard BEFORE INSERT ON visit WHEN new.holds = 1
BEGIN
    SELECT RAISE(ABORT, 'slot taken')
    WHERE (SELECT guard_end FROM visit
           WHERE holds = 1 AND agent_id = new.agent_id AND guard_start < new.guard_end AND id <> new.id
           ORDER BY guard_start DESC LIMIT 1) > new.guard_start;
END;

CREATE TRIGGER visit_update_guard BEFORE UPDATE OF id, agent_id, guard_start, guard_end, holds ON visit WHEN new.holds = 1
BEGIN
    SELECT RAISE(ABORT, 'slot taken')
    WHERE (SELECT guard_end FROM visit
           WHERE holds = 1 AND agent_id = new.agent_id AND guard_start < new.guard_end AND id <> old.id
           ORDER BY guard_start DESC LIMIT 1) > new.guard_start;
END;

CREATE TABLE host (
    agent_id TEXT PRIMARY KEY NOT NULL,
    revision INTEGER NOT NULL -- grows whenever a visit of the agent changes
) STRICT, WITHOUT ROWID;

CREATE VIEW visit_readable AS
SELECT
    id, version, state, project_id AS project, event_type_id AS event_type, agent_id AS host,
    strftime('%Y-%m-%dT%H:%M:%SZ', start_at, 'unixepoch') AS start,
    strftime('%Y-%m-%dT%H:%M:%SZ', end_at, 'unixepoch') AS "end",
    strftime('%Y-%m-%dT%H:%M:%SZ', guard_start, 'unixepoch') AS held_from,
    strftime('%Y-%m-%dT%H:%M:%SZ', guard_end, 'unixepoch') AS held_until,
    holds, request_id AS request, source_account, source_id,
    details ->> '$.title' AS title,
    details ->> '$.contact.name' AS contact,
    details ->> '$.contact.email' AS email,
    details ->> '$.contact.phone' AS phone,
    details ->> '$.dwelling.name' AS property,
    details ->> '$.conflict.reason' AS conflict,
    details ->> '$.cancel_reason' AS cancel_reason,
    details ->> '$.booked_at' AS booked_at
FROM visit;

CREATE TABLE history (
    visit_id TEXT NOT NULL REFERENCES visit (id),
    version  INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    actor    TEXT NOT NULL,
    source   TEXT NOT NULL,
    delivery TEXT,
    note     TEXT NOT NULL,
    before   TEXT,
    after    TEXT NOT NULL,
    hash     TEXT NOT NULL, -- of this row and the hash of the one before it
    PRIMARY KEY (visit_id, version)
) STRICT;

CREATE TABLE visit_source (
    account   TEXT NOT NULL,
    source_id TEXT NOT NULL,
    visit_id  TEXT NOT NULL REFERENCES visit (id),
    PRIMARY KEY (account, source_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX visit_source_of_visit ON visit_source (visit_id);

CREATE TABLE tombstone (
    account   TEXT NOT NULL,
    source_id TEXT NOT NULL,
    at        INTEGER NOT NULL,
    PRIMARY KEY (account, source_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE turn_base (
    project_id    TEXT NOT NULL,
    event_type_id TEXT NOT NULL,
    agent_id      TEXT NOT NULL,
    base          INTEGER NOT NULL, -- turns an agent began with who joined later
    PRIMARY KEY (project_id, event_type_id, agent_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE request (
    id          TEXT PRIMARY KEY NOT NULL,
    body        TEXT NOT NULL,
    request     TEXT NOT NULL,
    route       TEXT,
    booking_url TEXT
) STRICT;

-- Calendars: what strangers' entries take, and what we put there.

CREATE TABLE calendar (
    id             INTEGER PRIMARY KEY,
    name           TEXT NOT NULL UNIQUE,
    revision       INTEGER NOT NULL DEFAULT 0, -- grows whenever a block changes
    cursor         TEXT,
    mark           TEXT,
    read_at        INTEGER,
    listed_at      INTEGER,
    expanded_until INTEGER,
    suspect_since  INTEGER,
    suspect_why    TEXT NOT NULL DEFAULT '',
    attention      TEXT NOT NULL DEFAULT '',
    error          TEXT NOT NULL DEFAULT '',
    failing_since  INTEGER,
    notes          TEXT NOT NULL DEFAULT '',
    deletions      TEXT NOT NULL DEFAULT '[]'
) STRICT;

-- Millions of entries are kept, so each costs few bytes: names are found by a hash of four bytes instead of standing in
-- an index again, a UID that follows from the remote id is not written out, and the blocks of an entry are found between
-- its first and its last start instead of through an index of their own.

CREATE TABLE entry (
    id          INTEGER PRIMARY KEY,
    calendar_id INTEGER NOT NULL REFERENCES calendar (id),
    name_hash   INTEGER NOT NULL, -- of the remote id's stem
    remote_id   TEXT NOT NULL,
    uid         TEXT NOT NULL,    -- "=" and what follows the stem, or ":" and all of it
    uid_hash    INTEGER,          -- only where the UID does not follow from the stem
    etag        TEXT NOT NULL,
    mirrored    INTEGER NOT NULL,
    first_at    INTEGER,          -- start of its first block
    last_at     INTEGER           -- start of its last block, where that is another
) STRICT;

CREATE INDEX entry_by_name ON entry (calendar_id, name_hash);
CREATE INDEX entry_by_uid ON entry (calendar_id, uid_hash) WHERE uid_hash IS NOT NULL;

CREATE TABLE block (
    calendar_id INTEGER NOT NULL,
    start_at    INTEGER NOT NULL,
    end_at      INTEGER NOT NULL,
    entry_id    INTEGER NOT NULL,
    all_day     INTEGER NOT NULL,
    copied      INTEGER NOT NULL,
    PRIMARY KEY (calendar_id, start_at, end_at, entry_id, all_day, copied)
) STRICT, WITHOUT ROWID;

-- The same once more for slots: the time that the blocks take which begin in a period, in one value. Written only with
-- the blocks it is worked out from.

CREATE TABLE busy (
    calendar_id INTEGER NOT NULL REFERENCES calendar (id),
    period      INTEGER NOT NULL, -- number of the period since the epoch
    all_day     INTEGER NOT NULL,
    until       INTEGER NOT NULL, -- its last end
    spans       BLOB NOT NULL,    -- start, end, start, end …, by start and apart
    PRIMARY KEY (calendar_id, period, all_day)
) STRICT;

CREATE TABLE published (
    subject      TEXT NOT NULL,
    calendar     TEXT NOT NULL,
    uid          TEXT NOT NULL,
    remote_id    TEXT NOT NULL,
    etag         TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    start_at     INTEGER NOT NULL,
    end_at       INTEGER NOT NULL,
    title        TEXT NOT NULL,
    location     TEXT NOT NULL,
    adopted      INTEGER NOT NULL,
    presence     TEXT NOT NULL,
    seen_start   INTEGER,
    seen_end     INTEGER,
    rewrites     TEXT NOT NULL,
    PRIMARY KEY (subject, calendar)
) STRICT;

CREATE INDEX published_in_calendar ON published (calendar, remote_id);

CREATE TABLE intent (
    subject      TEXT NOT NULL,
    calendar     TEXT NOT NULL,
    uid          TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    at           INTEGER NOT NULL,
    attempt      INTEGER NOT NULL,
    PRIMARY KEY (subject, calendar)
) STRICT, WITHOUT ROWID;

-- Accounts: logins at outside systems.

CREATE TABLE account (
    id            TEXT PRIMARY KEY NOT NULL,
    parked        TEXT NOT NULL,
    failures      INTEGER NOT NULL,
    failing_since INTEGER,
    not_before    INTEGER,
    last_success  INTEGER,
    error         TEXT NOT NULL,
    requests      INTEGER NOT NULL
) STRICT;

CREATE INDEX account_rests ON account (not_before) WHERE not_before IS NOT NULL;

CREATE TABLE account_link (
    account   TEXT NOT NULL,
    remote_id TEXT NOT NULL,
    agent_id  TEXT NOT NULL,
    email     TEXT,
    PRIMARY KEY (account, remote_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE memory (
    account TEXT NOT NULL,
    name    TEXT NOT NULL,
    value   TEXT NOT NULL,
    PRIMARY KEY (account, name)
) STRICT, WITHOUT ROWID;

-- Queues: evidence, "look again", "say once".

CREATE TABLE inbox (
    id          TEXT PRIMARY KEY NOT NULL,
    account     TEXT NOT NULL,
    key         TEXT NOT NULL,
    headers     TEXT NOT NULL,
    body        BLOB NOT NULL,
    received_at INTEGER NOT NULL,
    state       TEXT NOT NULL,
    error       TEXT NOT NULL,
    repeats     INTEGER NOT NULL DEFAULT 0,
    touches     TEXT NOT NULL,
    UNIQUE (account, key)
) STRICT;

CREATE INDEX inbox_by_state ON inbox (state, received_at);
CREATE INDEX inbox_by_time ON inbox (received_at);

CREATE TABLE inbox_touch (
    account   TEXT NOT NULL,
    touch_key TEXT NOT NULL,
    inbox_id  TEXT NOT NULL REFERENCES inbox (id),
    PRIMARY KEY (account, touch_key, inbox_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE work (
    kind       TEXT NOT NULL,
    key        TEXT NOT NULL,
    group_id   TEXT NOT NULL,              -- the account whose login the work uses
    due_at     INTEGER NOT NULL,
    ready_at   INTEGER,                    -- when it may be claimed: due_at, or the end of the lease; NULL: buried
    generation INTEGER NOT NULL,           -- grows with each touch
    claimed    INTEGER NOT NULL DEFAULT 0, -- the generation that was claimed last
    leased     INTEGER NOT NULL DEFAULT 0,
    lease      INTEGER NOT NULL DEFAULT 0, -- number of the claim; no two are equal
    attempts   INTEGER NOT NULL DEFAULT 0,
    buried_at  INTEGER,
    error      TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX work_ready ON work (ready_at) WHERE ready_at IS NOT NULL;
CREATE INDEX work_leased ON work (leased) WHERE leased = 1;
CREATE INDEX work_buried ON work (buried_at) WHERE buried_at IS NOT NULL;

CREATE TABLE claims (
    last INTEGER NOT NULL
) STRICT;

INSERT INTO claims (last) VALUES (0);

CREATE TABLE notice (
    seq        INTEGER PRIMARY KEY,
    key        TEXT NOT NULL UNIQUE,
    channel    TEXT NOT NULL,
    kind       TEXT NOT NULL,
    about      TEXT NOT NULL,
    addressee  TEXT NOT NULL,
    body       TEXT,
    due_at     INTEGER,
    state      TEXT NOT NULL,
    created_at INTEGER
) STRICT;

CREATE INDEX notice_about ON notice (about, channel, state);
CREATE INDEX notice_open ON notice (channel, state);
