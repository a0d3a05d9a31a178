-- One dwelling is visited by one client at a time, whoever the agents are. The visits themselves are compared, not their
-- buffers: those are the agent's. NULL: nothing is locked.

ALTER TABLE visit ADD COLUMN dwelling_key TEXT;

CREATE INDEX visit_of_dwelling ON visit (dwelling_key, start_at, end_at) WHERE holds = 1 AND dwelling_key IS NOT NULL;

UPDATE visit SET dwelling_key = project_id || '/' || (details ->> '$.dwelling.id') WHERE details ->> '$.dwelling.id' <> '';

-- What overlapped before there was a lock stays as it was agreed, without one.

UPDATE visit SET dwelling_key = NULL
WHERE holds = 1 AND dwelling_key IS NOT NULL AND EXISTS (
    SELECT 1 FROM visit AS other
    WHERE other.holds = 1 AND other.dwelling_key = visit.dwelling_key AND other.id <> visit.id
        AND other.start_at < visit.end_at AND other.end_at > visit.start_at
);

-- The same look at one neighbour as for agents (0001_first.sql).

CREATE TRIGGER visit_insert_dwelling BEFORE INSERT ON visit WHEN new.holds = 1 AND new.dwelling_key IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'slot taken')
    WHERE (SELECT end_at FROM visit
           WHERE holds = 1 AND dwelling_key = new.dwelling_key AND start_at < new.end_at AND id <> new.id
           ORDER BY start_at DESC LIMIT 1) > new.start_at;
END;

CREATE TRIGGER visit_update_dwelling BEFORE UPDATE OF id, dwelling_key, start_at, end_at, holds ON visit
WHEN new.holds = 1 AND new.dwelling_key IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'slot taken')
    WHERE (SELECT end_at FROM visit
           WHERE holds = 1 AND dwelling_key = new.dwelling_key AND start_at < new.end_at AND id <> old.id
           ORDER BY start_at DESC LIMIT 1) > new.start_at;
END;
