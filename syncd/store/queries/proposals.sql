-- Proposals. In the SQL that SQLite and PostgreSQL share; `IN (:name)` takes a list.

-- name: proposal_get
SELECT * FROM proposal WHERE id = :id

-- name: proposal_named
SELECT * FROM proposal WHERE name = :name AND name IS NOT NULL

-- name: proposal_put
INSERT INTO proposal (id, name, state, visit_id, made_at, expires_at, details)
VALUES (:id, :name, :state, :visit_id, :made_at, :expires_at, :details)

-- name: proposal_save
UPDATE proposal SET state = :state, visit_id = :visit_id, expires_at = :expires_at, details = :details WHERE id = :id
