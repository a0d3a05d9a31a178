"""Visits from a shell: looked at, booked and changed through the same flows as everywhere else."""

from collections.abc import Callable, Sequence
from datetime import timedelta

from syncd.control import Answer
from syncd.core.ids import AccountId, AgentId, EventTypeId, ProjectId, VisitId
from syncd.core.messages import BUILT_IN
from syncd.core.visit import (
    Answer as Answered,
)
from syncd.core.visit import (
    Approve,
    Attend,
    Attendance,
    Cancel,
    CancelReason,
    Command,
    Confirm,
    Contact,
    Move,
    Reassign,
    Refused,
    Reject,
    Visit,
    VisitState,
)
from syncd.flows.book import Booking, act, book
from syncd.flows.manage import link_of
from syncd.flows.show import history_json, local, refused_json
from syncd.flows.told import messages_json, preview
from syncd.flows.told import shown as with_marks
from syncd.operations.desk import Desk, Misused, agent_named, project_named, read_moment, read_window, unknown
from syncd.store import Tx

CLI = AccountId("cli")
SHOWN_AHEAD = timedelta(days=30)
MOST = 1_000
ATTENDANCE = (Attendance.PRESENT.value, Attendance.NO_SHOW.value)
SHORTEST_ID = 4  # characters of a visit's id that a person need type, where they are unambiguous


def listed(
    desk: Desk,
    *,
    project: str | None = None,
    agent: str | None = None,
    state: Sequence[str] = (),
    start: str | None = None,
    end: str | None = None,
) -> Answer:
    """List visits by start; without edges, those of today and the next thirty days."""
    zone = project_named(desk.directory, project).time_zone if project else desk.directory.time_zone
    wanted = [_state(one) for one in state]
    with desk.context.store.read() as tx:
        found = tx.visits.search(
            window=read_window(start, end, zone, desk.now, SHOWN_AHEAD),
            agent=agent_named(desk.directory, agent).id if agent else None,
            project=project_named(desk.directory, project).id if project else None,
            limit=MOST,
        )
    kept = [one for one in found if not wanted or one.state_at(desk.now) in wanted]
    return Answer(body=[with_marks(desk.context, one, desk.now) for one in kept])


def _state(text: str) -> VisitState:
    if text not in set(VisitState):
        raise unknown("state", text, [one.value for one in VisitState])
    return VisitState(text)


def shown(desk: Desk, *, visit: str) -> Answer:
    with desk.context.store.read() as tx:
        return Answer(body=with_marks(desk.context, _visit(desk, tx, visit), desk.now))


def history(desk: Desk, *, visit: str) -> Answer:
    """Say who changed a visit, when, from which system, and what."""
    with desk.context.store.read() as tx:
        found = _visit(desk, tx, visit)
        return Answer(body=[history_json(row, found.time_zone) for row in tx.visits.history(found.id)])


def messages(desk: Desk, *, visit: str) -> Answer:
    """List what was said of a visit, and what will be."""
    with desk.context.store.read() as tx:
        return Answer(body=messages_json(desk.context, tx, _visit(desk, tx, visit)))


def previewed(desk: Desk, *, visit: str, kind: str, to: str = "client") -> Answer:
    """Write a message of a visit as it would leave now; nothing is sent."""
    if kind not in BUILT_IN:
        raise unknown("kind of message", kind, sorted(BUILT_IN))
    with desk.context.store.read() as tx:
        found = _visit(desk, tx, visit)
        reader = to if to == "client" else f"agent:{agent_named(desk.directory, to).id}"
        letter = preview(desk.context, tx, found, kind, reader)
    return Answer(
        body={
            "kind": kind,
            "channel": letter.channel.value,
            "to": reader,
            "subject": letter.subject,
            "text": letter.text,
            "html": letter.html,
            "calendar": letter.calendar,
        }
    )


def _visit(desk: Desk, tx: Tx, name: str) -> Visit:
    """Find a visit by its id or by the beginning of it. Raises Misused."""
    found = tx.visits.find(VisitId(name))
    if found is not None:
        return found
    if len(name) < SHORTEST_ID:
        raise Misused(f"no visit has the id {name!r}; give at least {SHORTEST_ID} characters of its beginning")
    begun = [one for one in tx.visits.search(limit=100_000) if one.id.startswith(name)]
    if len(begun) != 1:
        why = f"{len(begun)} visits have an id that begins so" if len(begun) > 1 else "see `syncd visits list`"
        raise Misused(f"no visit has the id {name!r}; {why}")
    return begun[0]


def booked(
    desk: Desk,
    *,
    project: str,
    start: str,
    name: str,
    email: str,
    phone: str | None = None,
    event_type: str | None = None,
    host: str | None = None,
    answers: Sequence[str] = (),
) -> Answer:
    """Book a visit; refused like anybody else's, with the nearest free times."""
    place = project_named(desk.directory, project)
    booking = Booking(
        project=place.id,
        start=read_moment(start, place.time_zone),
        contact=_contact(desk, name, email, phone),
        source=CLI,
        event_type=_event_type(desk, place.id, event_type),
        host=agent_named(desk.directory, host).id if host else None,
        answers=tuple(_answer(one) for one in answers),
    )
    return _outcome(desk, book(desk.context, booking, desk.cause()), place.time_zone)


def _contact(desk: Desk, name: str, email: str, phone: str | None) -> Contact:
    """Read who comes, within the limits of the API. Its models are costly to import: only a booking needs them."""
    from pydantic import ValidationError

    from syncd.web.api_models import BookerIn
    from syncd.web.problems import Problem
    from syncd.web.words import contact_of

    try:
        return contact_of(BookerIn(name=name, email=email, phone=phone), desk.directory)
    except ValidationError as error:
        problems = [f"{one['loc'][0]}: {one['msg'].removeprefix('Value error, ')}" for one in error.errors()]
        raise Misused("; ".join(problems)) from None
    except Problem as problem:
        raise Misused(problem.detail) from None


def _event_type(desk: Desk, project: ProjectId, name: str | None) -> EventTypeId | None:
    """Read an event type by its id or by its role in the project."""
    if name is None:
        return None
    place = desk.directory.projects[project]
    found = place.find_event_type(name)
    if found is None:
        raise unknown("event type of the project", name, [*place.event_types, *place.event_types.values()])
    return found


def _answer(text: str) -> Answered:
    question, sign, answer = text.partition("=")
    if not sign:
        raise Misused(f"--answer takes QUESTION=ANSWER, not {text!r}")
    return Answered(question=question.strip(), answer=answer.strip())


def linked(desk: Desk, *, visit: str, renew: bool = False) -> Answer:
    """Return the address where the client manages a visit; `renew` makes one that supersedes every older one."""
    with desk.context.store.read() as tx:
        found = _visit(desk, tx, visit)
    link = link_of(desk.context, found.id, desk.now, renew=renew)
    if isinstance(link, Refused):
        return Answer(code=1, body={"error": refusal(link)})
    return Answer(body={"visit": found.id, "url": link.url, "expires_at": local(link.expires_at, found.time_zone)})


def moved(desk: Desk, *, visit: str, start: str, host: str | None = None) -> Answer:
    def command(found: Visit) -> Command:
        agent = agent_named(desk.directory, host).id if host else None
        return Move(start=read_moment(start, found.time_zone), host=agent)

    return _change(desk, visit, command)


def cancelled(desk: Desk, *, visit: str, by: str = "staff", reason: str = "", message: str = "") -> Answer:
    if by not in ("client", "agent", "staff"):
        raise unknown("way to cancel", by, ["client", "agent", "staff"])
    return _change(desk, visit, lambda found: Cancel(by=CancelReason(by), message=message), note=reason)


def reassigned(desk: Desk, *, visit: str, host: str) -> Answer:
    agent: AgentId = agent_named(desk.directory, host).id
    return _change(desk, visit, lambda found: Reassign(host=agent))


def approved(desk: Desk, *, visit: str) -> Answer:
    return _change(desk, visit, lambda found: Approve())


def rejected(desk: Desk, *, visit: str, reason: str = "") -> Answer:
    return _change(desk, visit, lambda found: Reject(message=reason))


def confirmed(desk: Desk, *, visit: str) -> Answer:
    return _change(desk, visit, lambda found: Confirm())


def attended(desk: Desk, *, visit: str, attendance: str) -> Answer:
    """Note whether the client was there."""
    if attendance not in ATTENDANCE:
        raise unknown("attendance", attendance, ATTENDANCE)
    return _change(desk, visit, lambda found: Attend(attendance=Attendance(attendance)))


def _change(desk: Desk, name: str, command: Callable[[Visit], Command], note: str = "") -> Answer:
    with desk.context.store.read() as tx:
        found = _visit(desk, tx, name)
    return _outcome(desk, act(desk.context, found.id, command(found), desk.cause(note)), found.time_zone)


def _outcome(desk: Desk, outcome: Visit | Refused, zone: str) -> Answer:
    if isinstance(outcome, Visit):
        return Answer(body=with_marks(desk.context, outcome, desk.now))
    return Answer(code=1, body={"error": refusal(outcome), **refused_json(outcome, zone)})


def refusal(refused: Refused) -> str:
    """Say a refusal in a sentence: the same words as the API's."""
    return refused.detail or reason_words(refused.reason)


def reason_told(reason: str) -> tuple[str, str]:
    """Return the API's type of one reason, and its sentence."""
    from syncd.web.problems import told_of

    return told_of(reason)


def reason_words(reason: str) -> str:
    """Return the sentence of one reason."""
    from syncd.web.problems import words_of

    return words_of(reason)
