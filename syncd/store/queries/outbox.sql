-- Messages on their way, what services report of them, and who wants none.

-- name: outbox_get
SELECT * FROM notice WHERE key = :key

-- name: outbox_next
SELECT * FROM notice
WHERE account = :account AND state IN ('scheduled', 'sending') AND not_before <= :now
ORDER BY due_at, seq LIMIT :most

-- name: outbox_wake
SELECT not_before FROM notice
WHERE account = :account AND state IN ('scheduled', 'sending')
ORDER BY not_before LIMIT 1

-- name: outbox_save
UPDATE notice SET
    state = :state, due_at = :due_at, not_before = :not_before, via = :via, account = :account,
    remote_id = :remote_id, tried = :tried, attempts = :attempts, reason = :reason, sending_at = :sending_at,
    sent_at = :sent_at, told_at = :told_at
WHERE key = :key

-- name: outbox_by_remote
SELECT * FROM notice WHERE account = :account AND remote_id = :remote_id AND remote_id <> ''

-- name: outbox_known
SELECT key FROM notice WHERE key IN (:keys)

-- name: report_early
INSERT INTO early_report (account, remote_id, state, reported_at, reason)
VALUES (:account, :remote_id, :state, :reported_at, :reason)
ON CONFLICT DO NOTHING

-- name: reports_early
SELECT * FROM early_report WHERE account = :account AND remote_id = :remote_id ORDER BY reported_at

-- name: reports_used
DELETE FROM early_report WHERE account = :account AND (remote_id = :remote_id OR reported_at < :before)

-- name: opt_out_put
INSERT INTO opt_out (address, channel, since_at) VALUES (:address, :channel, :since_at) ON CONFLICT DO NOTHING

-- name: opt_out_drop
DELETE FROM opt_out WHERE address = :address AND channel = :channel

-- name: opt_out_get
SELECT channel FROM opt_out WHERE address = :address
