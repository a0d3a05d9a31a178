-- Messages: what became of each, over which channel and account, and of which time of its visit it speaks.

ALTER TABLE notice ADD COLUMN speaks_of INTEGER;
ALTER TABLE notice ADD COLUMN not_before INTEGER NOT NULL DEFAULT 0;
ALTER TABLE notice ADD COLUMN via TEXT NOT NULL DEFAULT '';
ALTER TABLE notice ADD COLUMN account TEXT NOT NULL DEFAULT '';
ALTER TABLE notice ADD COLUMN remote_id TEXT NOT NULL DEFAULT '';
ALTER TABLE notice ADD COLUMN tried TEXT NOT NULL DEFAULT '';
ALTER TABLE notice ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE notice ADD COLUMN reason TEXT NOT NULL DEFAULT '';
ALTER TABLE notice ADD COLUMN sending_at INTEGER;
ALTER TABLE notice ADD COLUMN sent_at INTEGER;
ALTER TABLE notice ADD COLUMN told_at INTEGER;

-- What was waiting when nothing could be sent yet is no longer worth sending.
UPDATE notice SET state = 'skipped', reason = 'older' WHERE state = 'scheduled' AND channel NOT IN ('task', 'alert');

CREATE INDEX notice_pending ON notice (account, not_before) WHERE state IN ('scheduled', 'sending');
CREATE INDEX notice_remote ON notice (account, remote_id) WHERE remote_id <> '';

-- What a service reported of a message before its answer to the sending was read.
CREATE TABLE early_report (
    account     TEXT NOT NULL,
    remote_id   TEXT NOT NULL,
    state       TEXT NOT NULL,
    reported_at INTEGER NOT NULL,
    reason      TEXT NOT NULL,
    PRIMARY KEY (account, remote_id, state)
) STRICT, WITHOUT ROWID;

-- Addresses and numbers that asked not to be written to; channel '' is every one.
CREATE TABLE opt_out (
    address  TEXT NOT NULL,
    channel  TEXT NOT NULL,
    since_at INTEGER NOT NULL,
    PRIMARY KEY (address, channel)
) STRICT, WITHOUT ROWID;
