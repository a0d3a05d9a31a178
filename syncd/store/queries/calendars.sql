-- Calendars and what strangers' entries take. In the SQL that SQLite and PostgreSQL share; `IN (:name)` takes a list.

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
