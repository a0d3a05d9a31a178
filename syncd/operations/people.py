"""Contacts and inquiries from a shell: looked at; and who wants no messages."""

from collections.abc import Sequence

from syncd.control import Answer
from syncd.core.contacts import InquiryState
from syncd.core.ids import ContactId
from syncd.flows.opt_out import note_opt_out, read_email_address, read_number
from syncd.flows.show import inquiry_json, known_contact_json
from syncd.operations.desk import Desk, Misused, agent_named, unknown

MOST = 1_000


def contact(desk: Desk, *, contact: str) -> Answer:
    with desk.context.store.read() as tx:
        found = tx.people.find(ContactId(contact))
    if found is None:
        raise Misused(f"no contact has the id {contact!r}; `syncd visits show` tells that of a visit")
    return Answer(body=known_contact_json(found, desk.directory.time_zone))


def inquiries(desk: Desk, *, agent: str | None = None, state: Sequence[str] = ()) -> Answer:
    """List inquiries, the oldest first."""
    with desk.context.store.read() as tx:
        found = tx.people.inquiries(
            agent=agent_named(desk.directory, agent).id if agent else None,
            states=[_state(one) for one in state] or tuple(InquiryState),
            limit=MOST,
        )
    return Answer(body=[inquiry_json(one, desk.directory.time_zone) for one in found])


def opted_out(desk: Desk, *, to: str, undo: bool = False) -> Answer:
    """Note that no message goes to an address or a number any more; or, undone, that they may again."""
    try:
        key = read_email_address(to) if "@" in to else read_number(desk.context, to)
    except ValueError as error:
        raise Misused(f"{to!r} {error}") from None
    return Answer(body=note_opt_out(desk.context, key, undo=undo))


def _state(text: str) -> InquiryState:
    if text not in set(InquiryState):
        raise unknown("state", text, [one.value for one in InquiryState])
    return InquiryState(text)
