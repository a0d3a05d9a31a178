"""Links to clients: made, looked up, superseded. A token is derived from the daemon's secret and never kept.

What a link is good for stands in its purpose: a token for one thing opens no other. The address of a link is
`<public_url>/<letter>/<token>`.
"""

import base64
import hashlib
import hmac
from datetime import datetime
from enum import StrEnum

from syncd.flows.context import Context
from syncd.store import Tx
from syncd.store.records import Link


class Purpose(StrEnum):
    """What a link is for, by the letter in its address. Subjects: see `request_subject` and its neighbours."""

    BOOK = "b"  # book for a request, or anew after a lost or cancelled visit
    VISIT = "v"  # manage one visit
    PROPOSAL = "p"  # name windows


def request_subject(request: str) -> str:
    return f"request:{request}"


def visit_subject(visit: str) -> str:
    return f"visit:{visit}"


def proposal_subject(proposal: str) -> str:
    return f"proposal:{proposal}"


def token_of(ctx: Context, purpose: Purpose, subject: str, generation: int) -> str:
    """Return the 256 bits that open a link: HMAC-SHA256 over purpose, subject and generation, in base64url."""
    name = f"{purpose.value}:{generation}:{subject}".encode()
    digest = hmac.new(ctx.link_key(), name, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def url_of(ctx: Context, purpose: Purpose, token: str) -> str:
    return f"{ctx.public_url}/{purpose.value}/{token}"


def make_link(ctx: Context, tx: Tx, purpose: Purpose, subject: str, expires_at: datetime) -> str:
    """Return the address of a subject's current link; made where there is none, and good until `expires_at`."""
    known = tx.links.latest(purpose, subject)
    generation = known.generation if known is not None else 1
    return _put(ctx, tx, Link(purpose=purpose, subject=subject, generation=generation, expires_at=expires_at))


def renew_link(ctx: Context, tx: Tx, purpose: Purpose, subject: str, expires_at: datetime) -> str:
    """Return a new address for a subject; every older one is superseded."""
    known = tx.links.latest(purpose, subject)
    generation = known.generation + 1 if known is not None else 1
    return _put(ctx, tx, Link(purpose=purpose, subject=subject, generation=generation, expires_at=expires_at))


def find_subject(ctx: Context, tx: Tx, purpose: Purpose, token: str, now: datetime) -> str | None:
    """Return what a token opens; None for one that is unknown, expired, superseded or for another purpose."""
    link = tx.links.find(_hash(token))
    if link is None or link.purpose != purpose or link.expires_at <= now:
        return None
    latest = tx.links.latest(purpose, link.subject)
    return link.subject if latest is not None and latest.generation == link.generation else None


def _put(ctx: Context, tx: Tx, link: Link) -> str:
    token = token_of(ctx, Purpose(link.purpose), link.subject, link.generation)
    tx.links.put(_hash(token), link)
    return url_of(ctx, Purpose(link.purpose), token)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
