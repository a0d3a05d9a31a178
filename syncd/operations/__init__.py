"""What commands do, by name. The same function serves inside the daemon, through its socket, and outside it, on a
store that the command holds itself. Arguments and answers are plain JSON values."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace

from syncd.control import Answer, Call
from syncd.errors import StoreBusy, SyncdError
from syncd.operations import handover, people, projects, slots, status, sync, upkeep, visits
from syncd.operations.desk import Desk, Misused

__all__ = ["OPERATIONS", "Desk", "Misused", "Operation", "guarded", "perform"]


@dataclass(frozen=True, slots=True)
class Operation:
    """A command's deed. One that `changes` nothing works on a store opened for reading, beside a running daemon."""

    run: Callable[..., Answer]
    changes: bool


def _reads(run: Callable[..., Answer]) -> Operation:
    return Operation(run, changes=False)


def _changes(run: Callable[..., Answer]) -> Operation:
    return Operation(run, changes=True)


OPERATIONS: dict[str, Operation] = {
    "status": _reads(status.status),
    "plan": _reads(projects.planned),
    "parity": _reads(projects.compared),
    "activate": _changes(projects.activated),
    "sync": _changes(sync.sync),
    "busy": _reads(slots.busy),
    "explain-slot": _reads(slots.explain_slot),
    "visits.list": _reads(visits.listed),
    "visits.show": _reads(visits.shown),
    "visits.history": _reads(visits.history),
    "messages.list": _reads(visits.messages),
    "messages.preview": _reads(visits.previewed),
    "messages.opt-out": _changes(people.opted_out),
    "visits.book": _changes(visits.booked),
    "visits.move": _changes(visits.moved),
    "visits.cancel": _changes(visits.cancelled),
    "visits.reassign": _changes(visits.reassigned),
    "visits.approve": _changes(visits.approved),
    "visits.reject": _changes(visits.rejected),
    "visits.confirm": _changes(visits.confirmed),
    "visits.attendance": _changes(visits.attended),
    "handover": _changes(handover.handed_over),
    "contacts.show": _reads(people.contact),
    "inquiries.list": _reads(people.inquiries),
    "deliveries.list": _reads(upkeep.deliveries),
    "deliveries.show": _reads(upkeep.delivery),
    "replay": _changes(upkeep.replayed),
    "tasks.list": _reads(upkeep.tasks),
    "tasks.done": _changes(upkeep.task_done),
    "sources.release": _changes(upkeep.released),
    "recover": _changes(upkeep.recovered),
    "webhooks.list": _reads(upkeep.webhooks),
    "webhooks.ensure": _changes(upkeep.webhooks_ensured),
    "webhooks.remove": _changes(upkeep.webhooks_removed),
    "auth.embedded": _changes(upkeep.password_set),
    "auth.account": _changes(upkeep.signed_in),
    "links.feed": _reads(upkeep.feed),
    "links.visit": _changes(visits.linked),
}


def perform(desk: Desk, call: Call) -> Answer:
    """Carry out a call; what is expected to go wrong comes back as an answer with an exit code and a sentence."""
    operation = OPERATIONS.get(call.name)
    if operation is None:
        return Answer(code=2, body={"error": f"{call.name!r} is no command here; is the daemon of another version?"})
    desk = replace(desk, actor=call.actor)
    try:
        bound = inspect.signature(operation.run).bind(desk, **call.args)
    except TypeError as error:
        return Answer(code=2, body={"error": f"{call.name}: {error}"})
    return guarded(lambda: operation.run(*bound.args, **bound.kwargs))


def guarded(deed: Callable[[], Answer]) -> Answer:
    """Do something; what is expected to go wrong becomes an answer."""
    try:
        return deed()
    except Misused as error:
        return Answer(code=2, body={"error": str(error)})
    except StoreBusy as error:
        return Answer(code=75, body={"error": str(error)})
    except SyncdError as error:
        return Answer(code=1, body={"error": str(error)})
