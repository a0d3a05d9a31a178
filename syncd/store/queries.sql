-- Every query of the store, once, by name, in the SQL that SQLite and PostgreSQL share. `IN (:name)` takes a list.

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

-- name: holders
SELECT id FROM visit
WHERE holds = 1 AND agent_id = :agent AND guard_start < :guard_end AND guard_end > :guard_start
ORDER BY guard_start, id

-- name: visit_get
SELECT * FROM visit WHERE id = :id

-- name: visit_update
UPDATE visit SET
    version = :version, state = :state, project_id = :project_id, event_type_id = :event_type_id, agent_id = :agent_id,
    start_at = :start_at, end_at = :end_at, guard_start = :guard_start, guard_end = :guard_end, holds = :holds,
    request_id = :request_id, source_account = :source_account, source_id = :source_id, details = :details
WHERE id = :id

-- name: visit_insert
INSERT INTO visit (
    id, version, state, project_id, event_type_id, agent_id, start_at, end_at, guard_start, guard_end, holds,
    request_id, source_account, source_id, details
) VALUES (
    :id, :version, :state, :project_id, :event_type_id, :agent_id, :start_at, :end_at, :guard_start, :guard_end, :holds,
    :request_id, :source_account, :source_id, :details
)

-- name: visit_in_the_way
SELECT id FROM visit
WHERE holds = 1 AND agent_id = :agent_id AND guard_start < :guard_end AND id <> :id
ORDER BY guard_start DESC LIMIT 1

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
SELECT id, agent_id, start_at, end_at, guard_start, guard_end, event_type_id FROM visit
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

-- name: history_all
SELECT * FROM history ORDER BY visit_id, version

-- name: visit_versions
SELECT id, version FROM visit ORDER BY id

-- name: calendar_get
SELECT * FROM calendar WHERE name = :name

-- name: calendar_all
SELECT * FROM calendar ORDER BY name

-- name: calendar_add
INSERT INTO calendar (name) VALUES (:name) ON CONFLICT (name) DO NOTHING

-- name: calendar_save
INSERT INTO calendar (
    name, cursor, mark, read_at, listed_at, expanded_until, suspect_since, suspect_why, attention, error,
    failing_since, notes, deletions
) VALUES (
    :name, :cursor, :mark, :read_at, :listed_at, :expanded_until, :suspect_since, :suspect_why, :attention, :error,
    :failing_since, :notes, :deletions
)
ON CONFLICT (name) DO UPDATE SET
    cursor = excluded.cursor, mark = excluded.mark, read_at = excluded.read_at, listed_at = excluded.listed_at,
    expanded_until = excluded.expanded_until, suspect_since = excluded.suspect_since,
    suspect_why = excluded.suspect_why, attention = excluded.attention, error = excluded.error,
    failing_since = excluded.failing_since, notes = excluded.notes, deletions = excluded.deletions

-- name: calendar_fresh
UPDATE calendar SET read_at = :at, error = '', failing_since = NULL WHERE name IN (:calendars)

-- name: calendar_changed
UPDATE calendar SET revision = revision + 1 WHERE id = :calendar_id

-- name: calendar_glances
SELECT name, revision, read_at, attention FROM calendar WHERE name IN (:calendars)

-- name: pulse
SELECT COUNT(*), CAST(COALESCE(SUM(revision), 0) AS BIGINT) + (
    SELECT CAST(COALESCE(SUM(revision), 0) AS BIGINT) FROM host WHERE agent_id IN (:agents)
)
FROM calendar WHERE name IN (:calendars) AND read_at >= :since AND attention = ''

-- name: calendar_revisions
SELECT name, revision FROM calendar WHERE name IN (:calendars)

-- name: entry_etags
SELECT entry.remote_id, entry.etag FROM calendar JOIN entry ON entry.calendar_id = calendar.id
WHERE calendar.name = :calendar

-- name: entry_find
SELECT * FROM entry WHERE calendar_id = :calendar_id AND name_hash IN (:hashes)

-- name: entry_by_uid
SELECT * FROM entry WHERE calendar_id = :calendar_id AND uid_hash = :hash AND uid_hash IS NOT NULL

-- name: entry_insert
INSERT INTO entry (calendar_id, name_hash, remote_id, uid, uid_hash, etag, mirrored, first_at, last_at)
VALUES (:calendar_id, :name_hash, :remote_id, :uid, :uid_hash, :etag, :mirrored, :first_at, :last_at) RETURNING id

-- name: entry_update
UPDATE entry SET
    uid = :uid, uid_hash = :uid_hash, etag = :etag, mirrored = :mirrored, first_at = :first_at, last_at = :last_at
WHERE id = :id

-- name: entry_delete
DELETE FROM entry WHERE id = :id

-- name: entry_future
SELECT COUNT(DISTINCT block.entry_id) AS entries FROM calendar JOIN block ON block.calendar_id = calendar.id
WHERE calendar.name = :calendar AND block.end_at > :now

-- name: blocks_of_entry
SELECT start_at, end_at, all_day, copied FROM block
WHERE calendar_id = :calendar_id AND start_at >= :first_at AND start_at <= :last_at AND entry_id = :id
ORDER BY start_at, end_at

-- name: blocks_between
SELECT calendar.name, entry.remote_id, entry.uid, block.start_at, block.end_at, block.all_day, block.copied
FROM calendar JOIN block ON block.calendar_id = calendar.id JOIN entry ON entry.id = block.entry_id
WHERE calendar.name IN (:calendars) AND block.start_at < :end_at AND block.end_at > :start_at
ORDER BY block.start_at, block.end_at, calendar.name, entry.remote_id

-- name: blocks_starting
SELECT start_at, end_at, all_day FROM block
WHERE calendar_id = :calendar_id AND start_at >= :start_at AND start_at < :end_at ORDER BY start_at, end_at

-- name: busy_between
SELECT calendar.name, busy.all_day, busy.spans FROM calendar JOIN busy ON busy.calendar_id = calendar.id
WHERE calendar.name IN (:calendars) AND busy.period <= :last AND busy.until > :start_at AND busy.all_day <= :all_day
ORDER BY busy.all_day, busy.period

-- name: busy_of
SELECT period, all_day, until, spans FROM busy WHERE calendar_id = :calendar_id

-- name: busy_put
INSERT INTO busy (calendar_id, period, all_day, until, spans)
VALUES (:calendar_id, :period, :all_day, :until, :spans)

-- name: busy_drop
DELETE FROM busy WHERE calendar_id = :calendar_id AND period = :period

-- name: block_insert
INSERT INTO block (calendar_id, start_at, end_at, entry_id, all_day, copied)
VALUES (:calendar_id, :start_at, :end_at, :entry_id, :all_day, :copied)
ON CONFLICT DO NOTHING

-- name: blocks_delete
DELETE FROM block
WHERE calendar_id = :calendar_id AND start_at >= :first_at AND start_at <= :last_at AND entry_id = :id
RETURNING start_at

-- name: blocks_lost
SELECT calendar_id, COUNT(*) AS blocks FROM block
WHERE NOT EXISTS (
    SELECT 1 FROM entry
    WHERE entry.id = block.entry_id AND block.start_at BETWEEN entry.first_at AND COALESCE(entry.last_at, entry.first_at)
)
GROUP BY calendar_id

-- name: published_get
SELECT * FROM published WHERE subject = :subject AND calendar = :calendar

-- name: published_of
SELECT * FROM published WHERE subject = :subject ORDER BY calendar

-- name: published_in
SELECT * FROM published WHERE calendar = :calendar ORDER BY subject

-- name: published_at
SELECT * FROM published WHERE calendar = :calendar AND remote_id IN (:remote_ids)

-- name: published_future
SELECT COUNT(*) AS entries FROM published
WHERE calendar = :calendar AND end_at > :now AND presence <> 'gone'

-- name: published_put
INSERT INTO published (
    subject, calendar, uid, remote_id, etag, content_hash, start_at, end_at, title, location, adopted, presence,
    seen_start, seen_end, rewrites
) VALUES (
    :subject, :calendar, :uid, :remote_id, :etag, :content_hash, :start_at, :end_at, :title, :location, :adopted,
    :presence, :seen_start, :seen_end, :rewrites
)
ON CONFLICT (subject, calendar) DO UPDATE SET
    uid = excluded.uid, remote_id = excluded.remote_id, etag = excluded.etag, content_hash = excluded.content_hash,
    start_at = excluded.start_at, end_at = excluded.end_at, title = excluded.title, location = excluded.location,
    adopted = excluded.adopted, presence = excluded.presence, seen_start = excluded.seen_start,
    seen_end = excluded.seen_end, rewrites = excluded.rewrites

-- name: published_drop
DELETE FROM published WHERE subject = :subject AND calendar = :calendar

-- name: intent_put
INSERT INTO intent (subject, calendar, uid, content_hash, at, attempt)
VALUES (:subject, :calendar, :uid, :content_hash, :at, 1)
ON CONFLICT (subject, calendar) DO UPDATE SET
    uid = excluded.uid, content_hash = excluded.content_hash, at = excluded.at, attempt = intent.attempt + 1
RETURNING attempt

-- name: intent_get
SELECT attempt FROM intent WHERE subject = :subject AND calendar = :calendar

-- name: intent_drop
DELETE FROM intent WHERE subject = :subject AND calendar = :calendar

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
INSERT INTO notice (key, channel, kind, about, addressee, body, due_at, state, created_at)
VALUES (:key, :channel, :kind, :about, :addressee, :body, :due_at, :state, :created_at)
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

-- name: odd_holds
SELECT id, state, agent_id FROM visit
WHERE holds = 1 AND (agent_id IS NULL OR state NOT IN ('pending', 'confirmed')) ORDER BY id
