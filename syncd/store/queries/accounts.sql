-- Logins at outside systems. In the SQL that SQLite and PostgreSQL share; `IN (:name)` takes a list.

-- name: account_get
SELECT * FROM account WHERE id = :id

-- name: account_all
SELECT * FROM account ORDER BY id

-- name: account_resting
SELECT id, not_before FROM account WHERE not_before IS NOT NULL AND not_before > :now

-- name: account_save
INSERT INTO account (id, parked, failures, failing_since, not_before, last_success, error, requests)
VALUES (:id, :parked, :failures, :failing_since, :not_before, :last_success, :error, :requests)
ON CONFLICT (id) DO UPDATE SET
    parked = excluded.parked, failures = excluded.failures, failing_since = excluded.failing_since,
    not_before = excluded.not_before, last_success = excluded.last_success, error = excluded.error,
    requests = excluded.requests

-- name: link_get
SELECT agent_id FROM account_link WHERE account = :account AND remote_id = :remote_id

-- name: link_put
INSERT INTO account_link (account, remote_id, agent_id, email) VALUES (:account, :remote_id, :agent, :email)
ON CONFLICT (account, remote_id) DO UPDATE SET agent_id = excluded.agent_id, email = excluded.email

-- name: links_of
SELECT remote_id, agent_id, email FROM account_link WHERE account = :account ORDER BY remote_id

-- name: memory_get
SELECT value FROM memory WHERE account = :account AND name = :name

-- name: memory_put
INSERT INTO memory (account, name, value) VALUES (:account, :name, :value)
ON CONFLICT (account, name) DO UPDATE SET value = excluded.value

-- name: memory_drop
DELETE FROM memory WHERE account = :account AND name = :name
