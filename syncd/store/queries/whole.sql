-- The store as a whole: its marks, and what its check looks for. In the SQL that SQLite and PostgreSQL share; `IN (:name)` takes a list.

-- name: meta_get
SELECT value FROM meta WHERE name = :name

-- name: meta_put
INSERT INTO meta (name, value) VALUES (:name, :value)
ON CONFLICT (name) DO UPDATE SET value = excluded.value

-- name: overlaps
SELECT agent_id, id, before_end, guard_start FROM (
    SELECT agent_id, id, guard_start, MAX(guard_end) OVER (
        PARTITION BY agent_id ORDER BY guard_start, id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS before_end
    FROM visit WHERE holds = 1
) AS holds_in_order
WHERE before_end > guard_start ORDER BY agent_id, guard_start

-- name: dwelling_overlaps
SELECT dwelling_key, id, start_at FROM (
    SELECT dwelling_key, id, start_at, MAX(end_at) OVER (
        PARTITION BY dwelling_key ORDER BY start_at, id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS before_end
    FROM visit WHERE holds = 1 AND dwelling_key IS NOT NULL
) AS holds_in_order
WHERE before_end > start_at ORDER BY dwelling_key, start_at

-- name: holders
SELECT id FROM visit
WHERE holds = 1 AND agent_id = :agent AND guard_start < :guard_end AND guard_end > :guard_start
ORDER BY guard_start, id

-- name: history_all
SELECT * FROM history ORDER BY visit_id, version

-- name: visit_versions
SELECT id, version FROM visit ORDER BY id

-- name: blocks_lost
SELECT calendar_id, COUNT(*) AS blocks FROM block
WHERE NOT EXISTS (
    SELECT 1 FROM entry
    WHERE entry.id = block.entry_id AND block.start_at BETWEEN entry.first_at AND COALESCE(entry.last_at, entry.first_at)
)
GROUP BY calendar_id

-- name: odd_holds
SELECT id, state, agent_id FROM visit
WHERE holds = 1 AND (agent_id IS NULL OR state NOT IN ('pending', 'confirmed')) ORDER BY id
