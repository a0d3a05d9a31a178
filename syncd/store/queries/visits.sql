-- Visits, their history, requests and turns. In the SQL that SQLite and PostgreSQL share; `IN (:name)` takes a list.

-- name: visit_get
SELECT * FROM visit WHERE id = :id

-- name: visit_update
UPDATE visit SET
    version = :version, state = :state, project_id = :project_id, event_type_id = :event_type_id, agent_id = :agent_id,
    start_at = :start_at, end_at = :end_at, guard_start = :guard_start, guard_end = :guard_end, holds = :holds,
    request_id = :request_id, source_account = :source_account, source_id = :source_id, details = :details,
    dwelling_key = CASE -- who held this very time without a lock goes on so
        WHEN dwelling_key IS NULL AND holds = 1 AND :holds = 1 AND start_at = :start_at AND end_at = :end_at THEN NULL
        ELSE :dwelling_key
    END
WHERE id = :id

-- name: visit_insert
INSERT INTO visit (
    id, version, state, project_id, event_type_id, agent_id, start_at, end_at, guard_start, guard_end, holds,
    request_id, source_account, source_id, details, dwelling_key
) VALUES (
    :id, :version, :state, :project_id, :event_type_id, :agent_id, :start_at, :end_at, :guard_start, :guard_end, :holds,
    :request_id, :source_account, :source_id, :details, :dwelling_key
)

-- name: visit_in_the_way
SELECT id FROM visit
WHERE holds = 1 AND agent_id = :agent_id AND guard_start < :guard_end AND guard_end > :guard_start AND id <> :id
ORDER BY guard_start DESC LIMIT 1

-- name: visit_at_the_dwelling
SELECT id FROM visit
WHERE holds = 1 AND dwelling_key = :dwelling_key AND start_at < :end_at AND end_at > :start_at AND id <> :id
ORDER BY start_at DESC LIMIT 1

-- name: dwelling_spans
SELECT start_at, end_at FROM visit
WHERE holds = 1 AND dwelling_key = :dwelling_key AND start_at < :end_at AND end_at > :start_at AND id <> :ignoring
ORDER BY start_at

-- name: visit_by_source
SELECT visit.* FROM visit_source JOIN visit ON visit.id = visit_source.visit_id
WHERE visit_source.account = :account AND visit_source.source_id = :source_id

-- name: visit_source_put
INSERT INTO visit_source (account, source_id, visit_id) VALUES (:account, :source_id, :visit)
ON CONFLICT (account, source_id) DO UPDATE SET visit_id = excluded.visit_id

-- name: tombstone_put
INSERT INTO tombstone (account, source_id, at) VALUES (:account, :source_id, :at)
ON CONFLICT (account, source_id) DO NOTHING

-- name: tombstone_get
SELECT at FROM tombstone WHERE account = :account AND source_id = :source_id

-- name: visit_search
SELECT * FROM visit
WHERE end_at > :window_start AND start_at < :window_end
    AND (:any_project = 1 OR project_id = :project) AND (:any_request = 1 OR request_id = :request)
    AND state IN (:states) AND (start_at > :after_start OR (start_at = :after_start AND id > :after_id))
ORDER BY start_at, id LIMIT :most

-- name: visit_search_agent
SELECT * FROM visit
WHERE agent_id = :agent AND end_at > :window_start AND start_at < :window_end
    AND (:any_project = 1 OR project_id = :project) AND (:any_request = 1 OR request_id = :request)
    AND state IN (:states) AND (start_at > :after_start OR (start_at = :after_start AND id > :after_id))
ORDER BY start_at, id LIMIT :most

-- name: holds_of_agent
SELECT id, agent_id, start_at, end_at, guard_start, guard_end, event_type_id, project_id FROM visit
WHERE holds = 1 AND agent_id = :agent AND guard_start < :end_at AND guard_end > :start_at
    AND guard_start >= COALESCE((
        SELECT MAX(guard_start) FROM visit WHERE holds = 1 AND agent_id = :agent AND guard_start <= :start_at
    ), :start_at)
ORDER BY guard_start

-- name: guards_of_agent
SELECT guard_start, guard_end FROM visit
WHERE holds = 1 AND agent_id = :agent AND guard_start < :end_at AND guard_end > :start_at
    AND guard_start >= COALESCE((
        SELECT MAX(guard_start) FROM visit WHERE holds = 1 AND agent_id = :agent AND guard_start <= :start_at
    ), :start_at)
ORDER BY guard_start

-- name: starts_of_type
SELECT id, start_at FROM visit
WHERE agent_id = :agent AND end_at > :start_at AND start_at < :end_at
    AND event_type_id = :event_type AND state IN ('pending', 'confirmed')
ORDER BY start_at, id

-- name: host_changed
INSERT INTO host (agent_id, revision) VALUES (:agent, 1)
ON CONFLICT (agent_id) DO UPDATE SET revision = host.revision + 1

-- name: host_revisions
SELECT agent_id, revision FROM host WHERE agent_id IN (:agents)

-- name: daily_count
SELECT COUNT(*) AS visits FROM visit
WHERE agent_id = :agent AND end_at > :start_at AND start_at >= :start_at AND start_at < :end_at
    AND event_type_id = :event_type AND state IN ('pending', 'confirmed')

-- name: turn_counts
SELECT agent_id, COUNT(*) AS visits FROM visit
WHERE project_id = :project AND event_type_id = :event_type AND agent_id IN (:agents)
    AND state IN ('pending', 'confirmed')
GROUP BY agent_id

-- name: turn_bases
SELECT agent_id, base FROM turn_base WHERE project_id = :project AND event_type_id = :event_type

-- name: turn_base_put
INSERT INTO turn_base (project_id, event_type_id, agent_id, base) VALUES (:project, :event_type, :agent, :base)
ON CONFLICT (project_id, event_type_id, agent_id) DO UPDATE SET base = excluded.base

-- name: turn_base_drop
DELETE FROM turn_base WHERE project_id = :project AND event_type_id = :event_type AND agent_id NOT IN (:agents)

-- name: request_put
INSERT INTO request (id, body, request, route, booking_url) VALUES (:id, :body, :request, :route, :booking_url)
ON CONFLICT (id) DO UPDATE SET
    body = excluded.body, request = excluded.request, route = excluded.route, booking_url = excluded.booking_url

-- name: request_get
SELECT body, request, route, booking_url FROM request WHERE id = :id

-- name: history_last
SELECT hash FROM history WHERE visit_id = :visit ORDER BY version DESC LIMIT 1

-- name: history_insert
INSERT INTO history (visit_id, version, at, actor, source, delivery, note, before, after, hash)
VALUES (:visit_id, :version, :at, :actor, :source, :delivery, :note, :before, :after, :hash)

-- name: history_of
SELECT * FROM history WHERE visit_id = :visit ORDER BY version
