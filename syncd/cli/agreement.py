"""Commands about the agreement of store and calendars: what is due, do it, compare, open a project, explain a time."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from syncd.cli.command import command, new_app
from syncd.cli.session import MISUSED, Session

ProjectName = Annotated[str, typer.Argument(metavar="PROJECT", help="Id, name or alias.")]
AgentName = Annotated[str, typer.Argument(metavar="AGENT", help="Id, name or address.")]
From = Annotated[str | None, typer.Option("--from", help="A day or a time; without offset, local.")]
To = Annotated[str | None, typer.Option("--to", help="A day, which counts whole, or a time.")]


def add_to(app: typer.Typer) -> None:
    command(app, "plan", example="syncd plan --json")(plan)
    command(app, "sync", example="syncd sync --once")(sync)
    command(app, "route", example="syncd route request.json")(route)
    command(app, "busy", example="syncd busy ana --from 2026-12-01 --to 2026-12-05")(busy)
    command(app, "explain-slot", example="syncd explain-slot casas 2026-12-01T10:00")(explain_slot)
    command(app, "parity", example="syncd parity casas")(parity)
    command(app, "activate", example='syncd activate casas --waive "one old entry is known"')(activate)
    sources = new_app("What is read: accounts and calendars.")
    command(sources, "release", example="syncd sources release oficina/ana/visitas")(release)
    app.add_typer(sources, name="sources")
    command(app, "recover", example="syncd recover --finish")(recover)


def plan(at: Session) -> int:
    """Show what would be written to calendars, and do nothing.

    What reconciliation would write, move or delete, calendar by calendar. Exit code 0: nothing; 3: something.
    """
    from syncd.cli import pictures

    return at.do("plan", pictures.plan)


def sync(
    at: Session,
    once: Annotated[bool, typer.Option("--once", help="Do not wait for what failed to be tried again.")] = False,
) -> int:
    """Pull, reconcile and publish until everything is quiet."""
    from syncd.cli import pictures
    from syncd.cli.progress import bar

    with bar(sys.stderr) as tell:
        answer = at.answer("sync", tell=tell, once=once)
    return at.show(answer, pictures.synced)


def route(
    at: Session,
    file: Annotated[
        Path, typer.Argument(metavar="FILE.json", help="A request as POST /api/requests takes it; - reads stdin.")
    ],
) -> int:
    """Show which rule a request matches, and why.

    What every rule said, the project, the event type, and the hosts in their order.
    """
    from syncd.cli import pictures

    if file.is_dir():
        print(f"syncd: {file} is a folder; name a file with a request, or - for stdin", file=sys.stderr)
        return MISUSED
    text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    try:
        asked = json.loads(text)
    except ValueError as error:
        print(f"syncd: {file} is not JSON: {error}", file=sys.stderr)
        return MISUSED
    return at.show(at.route(asked), pictures.route)


def busy(at: Session, agent: AgentName, start: From = None, end: To = None) -> int:
    """Show an agent's busy time as syncd knows it.

    Blocks and holds, each with its source, merged nowhere.
    """
    from syncd.cli import pictures

    return at.do("busy", pictures.busy, agent=agent, start=start, end=end)


def explain_slot(
    at: Session,
    project: ProjectName,
    time: Annotated[str, typer.Argument(metavar="TIME", help="Such as 2026-12-01T10:00, local to the project.")],
    event_type: Annotated[str | None, typer.Option("--event-type", help="Id or role; else the standard one.")] = None,
) -> int:
    """Say why a time is or is not offered, host by host."""
    from syncd.cli import pictures

    return at.do("explain-slot", pictures.explained, project=project, time=time, event_type=event_type)


def parity(at: Session, project: ProjectName) -> int:
    """Compare the store with the agents' own calendars.

    Exit code 0 only when they are equal.
    """
    from syncd.cli import pictures

    return at.do("parity", pictures.parity, project=project)


def activate(
    at: Session,
    project: ProjectName,
    waive: Annotated[
        str | None, typer.Option("--waive", metavar="REASON", help="Open in spite of differences; the reason is kept.")
    ] = None,
) -> int:
    """Open a project for bookings.

    Refused unless parity holds and it has a team and a standard event type.
    """
    from syncd.cli import pictures

    return at.do("activate", pictures.activated, project=project, waive=waive)


def release(
    at: Session,
    source: Annotated[str, typer.Argument(metavar="ACCOUNT[/CALENDAR]", help="As `syncd status` names it.")],
) -> int:
    """Lift a suspicion.

    What is gone from the calendar counts as gone at the next reading.
    """
    return at.do("sources.release", _released, source=source)


def _released(body: Any) -> None:
    print("\n".join(f"released: {one}" for one in body["released"]) or body["note"])


def recover(
    at: Session,
    finish: Annotated[bool, typer.Option("--finish", help="End the mode: calendars are written again.")] = False,
) -> int:
    """Show or end the recovery after a restore.

    Until it is ended everything is read and nothing written; this shows what ending it would write.
    """
    from syncd.cli import pictures

    if not finish:
        print("This is what ending the recovery would write; syncd recover --finish ends it.", file=sys.stderr)
        return at.do("plan", pictures.plan)
    return at.do("recover", _recovered)


def _recovered(body: Any) -> None:
    print(f"The recovery is over; {body['suppressed_messages']} messages of the gap are not sent.")
