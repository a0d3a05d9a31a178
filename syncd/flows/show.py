"""Visits and their neighbours as plain JSON values, in the shapes docs/api.md promises; for the API and the
command line alike."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from syncd.core.contacts import IdentifierKind, Inquiry, KnownContact
from syncd.core.interval import Interval
from syncd.core.messages import Mark
from syncd.core.proposals import Proposal, Recipient, RecipientKind
from syncd.core.visit import Conflict, Contact, Dwelling, Refused, Slot, Visit
from syncd.store.queue import Notice
from syncd.store.visits import HistoryRow

Json = dict[str, Any]


def local(moment: datetime, zone: str) -> str:
    """Return RFC 3339 text with the offset that zone has at that moment."""
    return moment.astimezone(ZoneInfo(zone)).isoformat(timespec="seconds")


def slot_json(slot: Slot, zone: str) -> Json:
    return {
        "start": local(slot.interval.start, zone),
        "end": local(slot.interval.end, zone),
        "hosts_free": slot.hosts_free,
    }


def interval_json(interval: Interval, zone: str) -> Json:
    return {"start": local(interval.start, zone), "end": local(interval.end, zone)}


def contact_json(contact: Contact) -> Json:
    return {"name": contact.name, "email": contact.email, "phone": contact.phone, "tax_id": contact.tax_id}


def booker_json(visit: Visit) -> Json:
    """Return who booked, with the id of the contact they were recognised as; null before contacts were kept."""
    return {"id": visit.contact_id, **contact_json(visit.contact)}


def known_contact_json(contact: KnownContact, zone: str) -> Json:
    return {
        "id": contact.id,
        "name": contact.name,
        "emails": contact.values(IdentifierKind.EMAIL),
        "phones": contact.values(IdentifierKind.PHONE),
        "tax_ids": contact.values(IdentifierKind.TAX_ID),
        "owner": contact.owner,
        "state": contact.state.value,
        "created_at": local(contact.made_at, zone),
    }


def inquiry_json(inquiry: Inquiry, zone: str) -> Json:
    return {
        "id": inquiry.id,
        "contact": inquiry.contact,
        "visit": inquiry.visit,
        "agent": inquiry.agent,
        "state": inquiry.state.value,
        "why": inquiry.why,
        "created_at": local(inquiry.made_at, zone),
    }


def property_json(dwelling: Dwelling) -> Json:
    """Return what a visit shows of its property; who looks after it stays with the request."""
    return {"id": dwelling.id, "name": dwelling.name, "address": dwelling.address}


def proposal_json(proposal: Proposal, now: datetime, zone: str) -> Json:
    """Return a proposal with the windows that the client named; the link to its page is told once, when it is made."""
    answered = proposal.answered_at
    return {
        "id": proposal.id,
        "state": proposal.state_at(now).value,
        "contact": contact_json(proposal.contact),
        "project": proposal.project,
        "property": property_json(proposal.dwelling) if proposal.dwelling is not None else None,
        "recipient": _recipient_json(proposal.recipient),
        "answer_by": [one.value for one in proposal.answer_by],
        "windows": [{"window": one.number} | interval_json(one.interval, zone) for one in proposal.windows],
        "accepted": proposal.accepted,
        "visit": proposal.visit,
        "reason": proposal.reason,
        "created_at": local(proposal.made_at, zone),
        "answered_at": local(answered, zone) if answered is not None else None,
        "expires_at": local(proposal.expires_at, zone),
    }


def _recipient_json(recipient: Recipient) -> Json:
    if recipient.kind is RecipientKind.USER:
        return {"user": recipient.user}
    return {"contact_person": True} if recipient.kind is RecipientKind.CONTACT_PERSON else {"email": recipient.email}


def task_json(task: Notice, zone: str) -> Json:
    """Return a task; `details` is what there is to know beside what it is about."""
    kind, _, name = task.about.rpartition(":")
    return {
        "id": task.key,
        "kind": task.kind,
        "visit": name if not kind else None,
        "proposal": name if kind == "proposal" else None,
        "agent": task.to.removeprefix("agent:") or None,
        "state": task.state,
        "due_at": local(task.due_at, zone) if task.due_at is not None else None,
        "created_at": local(task.created_at, zone) if task.created_at is not None else None,
        "details": task.body,
    }


def conflict_json(conflict: Conflict, zone: str) -> Json:
    return {
        "reason": conflict.reason.value,
        "since": local(conflict.since, zone),
        "detail": conflict.detail,
        "alternatives": [slot_json(slot, zone) for slot in conflict.alternatives],
    }


def visit_json(visit: Visit, now: datetime, marks: Sequence[Mark] = ()) -> Json:
    """Return the visit as the contract shows it; `conflict` and `cancel_reason` only where they apply."""
    zone = visit.time_zone
    shown: Json = {
        "id": visit.id,
        "state": visit.state_at(now).value,
        "project": visit.project,
        "event_type": visit.event_type,
        "host": visit.host,
        "participants": [*visit.participants, *(one.email or one.name for one in visit.extra_contacts)],
        "extra_contacts": list(map(contact_json, visit.extra_contacts)),
        "contact": booker_json(visit),
        "property": property_json(visit.dwelling) if visit.dwelling is not None else None,
        "request": visit.request,
        "start": local(visit.interval.start, zone),
        "end": local(visit.interval.end, zone),
        "time_zone": zone,
        "title": visit.title,
        "location": visit.location,
        "answers": [{"question": one.question, "answer": one.answer} for one in visit.answers],
        "source": {"account": visit.source.account, "id": visit.source.id},
        "client_confirmation": visit.client_confirmation.value,
        "attendance": visit.attendance.value,
        "booked_at": local(visit.booked_at, zone),
        "version": visit.version,
        "marks": [{"mark": one.mark, "since": local(one.since, zone)} for one in marks],
    }
    if visit.conflict is not None:
        shown["conflict"] = conflict_json(visit.conflict, zone)
    if visit.cancel_reason is not None:
        shown |= {
            "cancel_reason": visit.cancel_reason.value,
            "cancel_message": visit.cancel_message,
            "cancelled_late": visit.cancelled_late,
        }
    return shown


def refused_json(refused: Refused, zone: str) -> Json:
    return {
        "reason": refused.reason,
        "detail": refused.detail,
        "alternatives": [slot_json(slot, zone) for slot in refused.alternatives],
    }


def history_json(row: HistoryRow, zone: str) -> Json:
    return {
        "version": row.version,
        "at": local(row.cause.at, zone),
        "actor": row.cause.actor,
        "source": row.cause.source,
        "delivery": row.cause.delivery,
        "note": row.cause.note,
        "before": _told(row.before, zone) if row.before is not None else None,
        "after": _told(row.after, zone),
    }


UNTOLD = frozenset(("guard", "holds", "remote"))  # how the store keeps a visit's time, not what people changed


def _told(fields: Json, zone: str) -> Json:
    """Return fields as the store wrote them in the words and shapes of `visit_json`."""
    told: Json = {}
    for name, value in fields.items():
        if name == "interval":
            told |= {edge: _moved(moment, zone) for edge, moment in value.items()}
        elif name == "conflict" and value is not None:
            told[name] = _conflict(value, zone)
        elif name == "dwelling":
            told["property"] = value and {part: value.get(part, "") for part in ("id", "name", "address")}
        elif name.endswith("_at"):
            told[name] = _moved(value, zone)
        elif name not in UNTOLD:
            told[name] = value
    return told


def _moved(moment: str | None, zone: str) -> str | None:
    return local(datetime.fromisoformat(moment), zone) if moment is not None else None


def _conflict(fields: Json, zone: str) -> Json:
    others = [_told(slot, zone) for slot in fields.get("alternatives", ())]
    return fields | {"since": _moved(fields["since"], zone), "alternatives": others}
