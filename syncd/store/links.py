"""Links to clients, by the hash of their token. Knows no token and no key."""

from collections.abc import Sequence
from datetime import datetime

from syncd.store import rows
from syncd.store.engine import Db, Row
from syncd.store.records import Link


class Links:
    """The links of one transaction."""

    def __init__(self, db: Db) -> None:
        self._db = db

    def find(self, token_hash: bytes) -> Link | None:
        """Look a link up, be it expired or superseded or not."""
        return _maybe_link(self._db.rows("link_by_hash", hash=token_hash))

    def latest(self, purpose: str, subject: str) -> Link | None:
        """Return the link of the highest generation for a subject, None where none was ever made."""
        return _maybe_link(self._db.rows("link_latest", purpose=purpose, subject=subject))

    def put(self, token_hash: bytes, link: Link) -> None:
        """Keep a link; the same token again only gets another end."""
        values = {"purpose": link.purpose, "subject": link.subject, "generation": link.generation}
        self._db.run("link_put_down", hash=token_hash, expires_at=rows.seconds_up(link.expires_at), **values)

    def until(self, purpose: str, subject: str, expires_at: datetime) -> None:
        """Give the links of a subject another end, where there are any; a superseded one stays superseded."""
        values = {"purpose": purpose, "subject": subject, "expires_at": rows.seconds_up(expires_at)}
        self._db.run("link_until", **values)


def _maybe_link(found: Sequence[Row]) -> Link | None:
    if not found:
        return None
    row = found[0]
    return Link(
        purpose=row["purpose"],
        subject=row["subject"],
        generation=row["generation"],
        expires_at=rows.moment(row["expires_at"]),
    )
