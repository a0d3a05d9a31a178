"""What a client does to a visit through its link: looked up by the token, judged against what the page showed, done
once. Knows no page."""

from datetime import datetime

from syncd.core.ids import VisitId
from syncd.core.visit import Visit
from syncd.flows.context import Context
from syncd.flows.links import Purpose, find_subject, make_link, renew_link, visit_subject
from syncd.store import Tx

SUBJECT = visit_subject("")


def visit_url(ctx: Context, tx: Tx, visit: Visit, *, renew: bool = False) -> str:
    """Return the address where the client manages the visit; good until the visit ends, also when it moves.

    `renew` makes a new one that supersedes every older one: for a contact whose own address changed.
    """
    make = renew_link if renew else make_link
    return make(ctx, tx, Purpose.VISIT, visit_subject(visit.id), visit.interval.end)


def find_managed(ctx: Context, tx: Tx, token: str, now: datetime) -> Visit | None:
    """Return the visit that a link opens; None where it opens none, or one that is over."""
    subject = find_subject(ctx, tx, Purpose.VISIT, token, now)
    if subject is None or not subject.startswith(SUBJECT):
        return None
    visit = tx.visits.find(VisitId(subject.removeprefix(SUBJECT)))
    return visit if visit is not None and now < visit.interval.end else None
