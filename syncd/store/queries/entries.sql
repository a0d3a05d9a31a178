-- What we put into calendars. In the SQL that SQLite and PostgreSQL share; `IN (:name)` takes a list.

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
