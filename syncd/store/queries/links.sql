-- Links to clients. In the SQL that SQLite and PostgreSQL share; `IN (:name)` takes a list.

-- name: link_by_hash
SELECT purpose, subject, generation, expires_at FROM link WHERE hash = :hash

-- name: link_latest
SELECT purpose, subject, generation, expires_at FROM link WHERE purpose = :purpose AND subject = :subject
ORDER BY generation DESC LIMIT 1

-- name: link_put_down
INSERT INTO link (hash, purpose, subject, generation, expires_at)
VALUES (:hash, :purpose, :subject, :generation, :expires_at)
ON CONFLICT (hash) DO UPDATE SET expires_at = excluded.expires_at

-- name: link_until
UPDATE link SET expires_at = :expires_at WHERE purpose = :purpose AND subject = :subject
