-- Inbox, work and outbox. In the SQL that SQLite and PostgreSQL share; `IN (:name)` takes a list.

-- name: inbox_insert
INSERT INTO inbox (id, account, key, headers, body, received_at, state, error, repeats, touches)
VALUES (:id, :account, :key, :headers, :body, :received_at, :state, :error, :repeats, :touches)
ON CONFLICT (account, key) DO NOTHING

-- name: inbox_repeated
UPDATE inbox SET repeats = repeats + 1 WHERE account = :account AND key = :key

-- name: inbox_touch_insert
INSERT INTO inbox_touch (account, touch_key, inbox_id) VALUES (:account, :touch_key, :inbox_id)
ON CONFLICT DO NOTHING

-- name: inbox_get
SELECT * FROM inbox WHERE id = :id

-- name: inbox_list
SELECT * FROM inbox WHERE state IN (:states) ORDER BY received_at DESC, id DESC LIMIT :most

-- name: inbox_state
UPDATE inbox SET state = :state, error = :error WHERE id = :id

-- name: inbox_settle
UPDATE inbox SET state = :state, error = :error
WHERE state = 'new' AND id IN (
    SELECT inbox_id FROM inbox_touch WHERE account = :account AND touch_key = :touch_key
)

-- name: inbox_about
SELECT inbox.* FROM inbox_touch JOIN inbox ON inbox.id = inbox_touch.inbox_id
WHERE inbox_touch.account = :account AND inbox_touch.touch_key = :touch_key
ORDER BY inbox.received_at DESC, inbox.id DESC LIMIT :most

-- name: inbox_counts
SELECT state, COUNT(*) AS deliveries FROM inbox GROUP BY state

-- name: work_touch
INSERT INTO work (kind, key, group_id, due_at, ready_at, generation) VALUES (:kind, :key, :group, :due_at, :due_at, 1)
ON CONFLICT (kind, key) DO UPDATE SET
    generation = work.generation + 1,
    group_id = CASE WHEN excluded.group_id = '' THEN work.group_id ELSE excluded.group_id END,
    due_at = CASE
        WHEN work.buried_at IS NOT NULL THEN excluded.due_at
        WHEN work.leased = 1 AND work.generation = work.claimed THEN excluded.due_at
        WHEN work.due_at < excluded.due_at THEN work.due_at
        ELSE excluded.due_at
    END,
    ready_at = CASE
        WHEN work.buried_at IS NULL AND (work.leased = 1 OR work.ready_at < excluded.due_at) THEN work.ready_at
        ELSE excluded.due_at
    END,
    attempts = 0, error = '', buried_at = NULL

-- name: claim_number
UPDATE claims SET last = last + 1 RETURNING last

-- name: work_claim
-- (A kind is looked at only after the due time: `kind || ''` keeps its index out of it, which would sort all that is due.)
UPDATE work SET leased = 1, lease = :lease, claimed = generation, ready_at = :until
WHERE ready_at <= :now AND (kind, key) IN (
    SELECT kind, key FROM work
    WHERE ready_at <= :now AND kind || '' IN (:kinds) AND group_id NOT IN (:skip)
    ORDER BY ready_at, kind, key LIMIT :most
)
RETURNING *

-- name: work_remove
DELETE FROM work WHERE kind = :kind AND key = :key AND leased = 1 AND lease = :lease AND generation = :generation

-- name: work_again
UPDATE work SET leased = 0, due_at = :due_at, ready_at = :due_at, attempts = 0, error = ''
WHERE kind = :kind AND key = :key AND leased = 1 AND lease = :lease AND generation = :generation

-- name: work_free
UPDATE work SET
    leased = 0,
    due_at = CASE WHEN due_at < :due_at THEN due_at ELSE :due_at END,
    ready_at = CASE WHEN due_at < :due_at THEN due_at ELSE :due_at END
WHERE kind = :kind AND key = :key AND leased = 1 AND lease = :lease

-- name: work_fail
UPDATE work SET leased = 0, due_at = :due_at, ready_at = :due_at, attempts = attempts + 1, error = :error
WHERE kind = :kind AND key = :key AND leased = 1 AND lease = :lease AND generation = :generation

-- name: work_bury
UPDATE work SET leased = 0, ready_at = NULL, buried_at = :at, attempts = attempts + 1, error = :error
WHERE kind = :kind AND key = :key AND leased = 1 AND lease = :lease AND generation = :generation

-- name: work_dead
SELECT * FROM work WHERE buried_at IS NOT NULL ORDER BY buried_at, kind, key

-- name: work_failing
SELECT * FROM work WHERE attempts > 0 AND buried_at IS NULL ORDER BY due_at, kind, key

-- name: work_next
SELECT ready_at FROM work WHERE ready_at IS NOT NULL AND group_id NOT IN (:skip) ORDER BY ready_at LIMIT 1

-- name: work_depths
SELECT kind, COUNT(*) AS works, MIN(due_at) AS oldest FROM work
WHERE ready_at <= :now AND leased = 0 GROUP BY kind

-- name: work_release
UPDATE work SET leased = 0, ready_at = 0 WHERE leased = 1

-- name: notice_say
INSERT INTO notice (
    key, channel, kind, about, addressee, body, due_at, state, created_at, speaks_of, not_before, reason
) VALUES (
    :key, :channel, :kind, :about, :addressee, :body, :due_at, :state, :created_at, :speaks_of, :not_before, :reason
)
ON CONFLICT (key) DO NOTHING

-- name: notice_list
SELECT * FROM notice
WHERE (:any_channel = 1 OR channel = :channel) AND (:any_state = 1 OR state = :state)
ORDER BY seq LIMIT :most

-- name: notice_about
SELECT * FROM notice
WHERE about = :about AND (:any_channel = 1 OR channel = :channel) AND (:any_state = 1 OR state = :state)
ORDER BY seq LIMIT :most

-- name: notice_state
UPDATE notice SET state = :state WHERE key = :key
