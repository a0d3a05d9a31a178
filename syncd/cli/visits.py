"""Commands about visits: look, book, move, cancel, hand over."""

from typing import Annotated

import typer

from syncd.cli.agreement import From, To
from syncd.cli.command import command, new_app
from syncd.cli.session import Session

VisitId = Annotated[str, typer.Argument(metavar="VISIT", help="Its id, or the beginning of it.")]
Start = Annotated[
    str, typer.Option("--start", help="Such as 2026-12-01T10:00, local to the project, or with an offset.")
]


def add_to(app: typer.Typer) -> None:
    visits = new_app("The visits: look, book, move, cancel, hand over.")
    command(visits, "list", example="syncd visits list --agent ana --state confirmed")(listed)
    command(visits, "show", example="syncd visits show 3f2a")(shown)
    command(visits, "history", example="syncd visits history 3f2a")(history)
    command(
        visits,
        "book",
        example="syncd visits book --project casas --start 2026-12-01T10:00 --name 'Eva Paz' --email eva@example.cl",
    )(book)
    command(visits, "move", example="syncd visits move 3f2a --start 2026-12-02T11:00")(move)
    command(visits, "cancel", example="syncd visits cancel 3f2a --by client --reason 'is ill'")(cancel)
    command(visits, "reassign", example="syncd visits reassign 3f2a --host bruno")(reassign)
    command(visits, "approve", example="syncd visits approve 3f2a")(approve)
    command(visits, "reject", example="syncd visits reject 3f2a --reason 'the house is sold'")(reject)
    command(visits, "confirm", example="syncd visits confirm 3f2a")(confirm)
    command(visits, "attendance", example="syncd visits attendance 3f2a no_show")(attendance)
    app.add_typer(visits, name="visits")
    messages = new_app("What people are told of a visit.")
    command(messages, "list", example="syncd messages list 3f2a")(message_list)
    command(messages, "preview", example="syncd messages preview 3f2a reminder")(message_preview)
    command(messages, "opt-out", example="syncd messages opt-out eva@example.com")(message_opt_out)
    app.add_typer(messages, name="messages")
    command(app, "handover", example="syncd handover ana bruno --project casas --on 2026-12-01 --dry-run")(handover)


def listed(
    at: Session,
    project: Annotated[str | None, typer.Option("--project", help="Id, name or alias.")] = None,
    agent: Annotated[str | None, typer.Option("--agent", help="Id, name or address.")] = None,
    state: Annotated[
        list[str] | None, typer.Option("--state", help="pending, confirmed, conflict, cancelled, done; repeatable.")
    ] = None,
    start: From = None,
    end: To = None,
) -> int:
    """List visits by their start; by default those of today and the next thirty days."""
    from syncd.cli import pictures

    return at.do("visits.list", pictures.visits, project=project, agent=agent, state=state or [], start=start, end=end)


def shown(at: Session, visit: VisitId) -> int:
    """Show one visit."""
    from syncd.cli import pictures

    return at.do("visits.show", pictures.visit, visit=visit)


def history(at: Session, visit: VisitId) -> int:
    """Say who changed a visit, when, from which system, and what."""
    from syncd.cli import pictures

    return at.do("visits.history", pictures.history, visit=visit)


def book(
    at: Session,
    project: Annotated[str, typer.Option("--project", help="Id, name or alias.")],
    start: Start,
    name: Annotated[str, typer.Option("--name", help="The client's name.")],
    email: Annotated[str, typer.Option("--email", help="The client's address.")],
    phone: Annotated[str | None, typer.Option("--phone", help="The client's telephone.")] = None,
    event_type: Annotated[str | None, typer.Option("--event-type", help="Id or role; else the standard one.")] = None,
    host: Annotated[str | None, typer.Option("--host", help="This agent and no other.")] = None,
    answer: Annotated[list[str] | None, typer.Option("--answer", metavar="QUESTION=ANSWER", help="Repeatable.")] = None,
) -> int:
    """Book a visit. A time that is taken is refused, with the nearest free ones."""
    from syncd.cli import pictures

    return at.do(
        "visits.book",
        pictures.visit,
        project=project,
        start=start,
        name=name,
        email=email,
        phone=phone,
        event_type=event_type,
        host=host,
        answers=answer or [],
    )


def move(
    at: Session,
    visit: VisitId,
    start: Start,
    host: Annotated[str | None, typer.Option("--host", help="Another agent as well.")] = None,
) -> int:
    """Move a visit to another time, perhaps to another host."""
    from syncd.cli import pictures

    return at.do("visits.move", pictures.visit, visit=visit, start=start, host=host)


def cancel(
    at: Session,
    visit: VisitId,
    by: Annotated[str, typer.Option("--by", help="Whose wish it is: client, agent or staff.")] = "staff",
    reason: Annotated[str, typer.Option("--reason", help="For the history.")] = "",
    message: Annotated[str, typer.Option("--message", help="For the client.")] = "",
) -> int:
    """Cancel a visit."""
    from syncd.cli import pictures

    return at.do("visits.cancel", pictures.visit, visit=visit, by=by, reason=reason, message=message)


def reassign(at: Session, visit: VisitId, host: Annotated[str, typer.Option("--host", help="Who takes it.")]) -> int:
    """Give a visit to another host at the same time."""
    from syncd.cli import pictures

    return at.do("visits.reassign", pictures.visit, visit=visit, host=host)


def approve(at: Session, visit: VisitId) -> int:
    """Approve a visit that waits for it. The client is told."""
    from syncd.cli import pictures

    return at.do("visits.approve", pictures.visit, visit=visit)


def reject(
    at: Session, visit: VisitId, reason: Annotated[str, typer.Option("--reason", help="For the client.")] = ""
) -> int:
    """Reject a visit that waits for approval. Its time is free again."""
    from syncd.cli import pictures

    return at.do("visits.reject", pictures.visit, visit=visit, reason=reason)


def confirm(at: Session, visit: VisitId) -> int:
    """Note that the client said yes, on the telephone say."""
    from syncd.cli import pictures

    return at.do("visits.confirm", pictures.visit, visit=visit)


def attendance(
    at: Session,
    visit: VisitId,
    attendance: Annotated[str, typer.Argument(metavar="ATTENDANCE", help="present or no_show.")],
) -> int:
    """Note whether the client was there, once the visit has begun."""
    from syncd.cli import pictures

    return at.do("visits.attendance", pictures.visit, visit=visit, attendance=attendance)


def message_list(at: Session, visit: VisitId) -> int:
    """List what was said of a visit, with what became of it, and what its plan still holds."""
    from syncd.cli import pictures

    return at.do("messages.list", pictures.messages, visit=visit)


def message_preview(
    at: Session,
    visit: VisitId,
    kind: Annotated[str, typer.Argument(metavar="KIND", help="Such as reminder or confirmation_request.")],
    to: Annotated[str, typer.Option("--to", help="client, or an agent.")] = "client",
) -> int:
    """Show a message of a visit as it would leave now. Nothing is sent."""
    from syncd.cli import pictures

    return at.do("messages.preview", pictures.letter, visit=visit, kind=kind, to=to)


def message_opt_out(
    at: Session,
    to: Annotated[str, typer.Argument(metavar="ADDRESS|NUMBER", help="Who wants no messages.")],
    undo: Annotated[bool, typer.Option("--undo", help="They may be sent messages again.")] = False,
) -> int:
    """Send clients nothing to an address or a number any more."""
    from syncd.cli import pictures

    return at.do("messages.opt-out", pictures.contact, to=to, undo=undo)


def handover(
    at: Session,
    giver: Annotated[str, typer.Argument(metavar="FROM", help="Whose visits go: id, name or address.")],
    taker: Annotated[str, typer.Argument(metavar="TO", help="Who takes them: an agent of the project's team.")],
    project: Annotated[str, typer.Option("--project", help="Id, name or alias.")],
    on: Annotated[str, typer.Option("--on", metavar="DATE", help="The first day, local to the project.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen, change nothing.")] = False,
) -> int:
    """Give an agent's future visits in a project to a colleague.

    What the colleague cannot take stays and is listed with the reason; the rest moves at once. Exit code 0: nothing
    stays; 3: something does.
    """
    from syncd.cli import pictures

    return at.do("handover", pictures.handed_over, giver=giver, taker=taker, project=project, on=on, dry_run=dry_run)
