"""What reconciliation would do, whether a project's calendars equal the store, and opening a project."""

from syncd.control import Answer
from syncd.core.visit import Refused
from syncd.flows.activate import Difference, activate, parity
from syncd.flows.book import is_active
from syncd.flows.plan import plan
from syncd.operations.desk import Desk, Json, project_named, utc

SOMETHING = 3  # exit code of a plan that is not empty


def planned(desk: Desk) -> Answer:
    """List every write that is due, calendar by calendar."""
    steps = [
        {
            "calendar": step.key.calendar,
            "act": step.act,
            "title": step.title,
            "start": utc(step.interval.start),
            "end": utc(step.interval.end),
            "subject": step.key.subject,
        }
        for step in plan(desk.context, desk.now)
    ]
    return Answer(code=SOMETHING if steps else 0, body=steps)


def compared(desk: Desk, *, project: str) -> Answer:
    """List where the store and the team's own calendars differ; equal is exit code 0."""
    found = project_named(desk.directory, project)
    differences = parity(desk.context, found.id, desk.now)
    if isinstance(differences, Refused):
        return Answer(code=1, body={"error": differences.detail})
    by_agent = {agent: [_shown(one) for one in differences if one.agent == agent] for agent in found.team}
    body = {
        "project": found.id,
        "equal": not differences,
        "agents": [{"agent": agent, "equal": not rows, "differences": rows} for agent, rows in by_agent.items()],
    }
    return Answer(code=1 if differences else 0, body=body)


def _shown(one: Difference) -> Json:
    return {"calendar": one.calendar, "what": one.what}


def activated(desk: Desk, *, project: str, waive: str | None = None) -> Answer:
    """Open a project for bookings, or say what is missing. What was waived is kept with the reason."""
    found = project_named(desk.directory, project)
    outcome = activate(desk.context, found.id, waive, desk.cause())
    if isinstance(outcome, Refused):
        return Answer(code=1, body={"error": _why_not(found.id, outcome), "reason": outcome.reason})
    waived = [{"agent": one.agent, **_shown(one)} for one in outcome]
    open_now = is_active(desk.context, found)
    return Answer(body={"project": found.id, "open": open_now, "waived": waived, "reason": waive if waived else None})


def _why_not(project: str, refused: Refused) -> str:
    if refused.reason != "no-parity":
        return refused.detail
    head = f"{project} stays closed: the store and its agents' calendars differ"
    return f"{head}\n{refused.detail}\nmend that, or open it all the same with --waive REASON"
