-- Contacts and inquiries. In the SQL that SQLite and PostgreSQL share; `IN (:name)` takes a list.

-- name: contact_get
SELECT * FROM contact WHERE id = :id

-- name: contact_put
INSERT INTO contact (id, name, owner, state, made_at) VALUES (:id, :name, :owner, :state, :made_at)
ON CONFLICT (id) DO UPDATE SET name = excluded.name, owner = excluded.owner, state = excluded.state

-- name: identifiers_of_contact
SELECT kind, value FROM contact_identifier WHERE contact_id = :contact

-- name: identifier_add
INSERT INTO contact_identifier (contact_id, kind, value) VALUES (:contact, :kind, :value)
ON CONFLICT (contact_id, kind, value) DO NOTHING

-- name: contacts_known_by
SELECT contact_id FROM contact_identifier WHERE kind = :kind AND value = :value

-- name: inquiry_put
INSERT INTO inquiry (id, contact_id, visit_id, agent_id, state, why, made_at)
VALUES (:id, :contact_id, :visit_id, :agent_id, :state, :why, :made_at)

-- name: inquiry_get
SELECT * FROM inquiry WHERE id = :id

-- name: inquiry_list
SELECT * FROM inquiry
WHERE (made_at > :after_at OR (made_at = :after_at AND id > :after_id)) AND state IN (:states)
ORDER BY made_at, id LIMIT :most

-- name: inquiry_list_of_agent
SELECT * FROM inquiry
WHERE agent_id = :agent AND (made_at > :after_at OR (made_at = :after_at AND id > :after_id)) AND state IN (:states)
ORDER BY made_at, id LIMIT :most
