"""An agent's future visits go to a colleague, from a shell."""

from datetime import date

from syncd.control import Answer
from syncd.core.directory import Directory, Project
from syncd.core.ids import AgentId
from syncd.core.limits import is_sane_year
from syncd.core.visit import Refused
from syncd.flows.handover import Handover, hand_over, handed_over_json, hosts_ahead
from syncd.operations.desk import Desk, Misused, agent_named, project_named, unknown
from syncd.operations.visits import reason_words, refusal

SOME_LEFT = 3  # exit code where visits stay with their host


def handed_over(desk: Desk, *, giver: str, taker: str, project: str, on: str, dry_run: bool = False) -> Answer:
    """Move what the colleague can take and list what stays, with the reasons; a dry run changes nothing."""
    place = project_named(desk.directory, project)
    wanted = Handover(
        giver=_giver(desk, place, giver), taker=_taker(desk.directory, place, taker), project=place.id, on=_day(on)
    )
    outcome = hand_over(desk.context, wanted, desk.cause(), dry_run=dry_run)
    if isinstance(outcome, Refused):
        raise Misused(refusal(outcome))
    code = SOME_LEFT if outcome.left else 0
    return Answer(code=code, body=handed_over_json(outcome, reason_words, dry_run=dry_run))


def _giver(desk: Desk, project: Project, name: str) -> AgentId:
    """Read whose visits they are; somebody who is no agent any more may still have visits. Raises Misused."""
    if name not in desk.directory.agents:
        with desk.context.store.read() as tx:
            if name in hosts_ahead(tx, project.id, desk.now):
                return AgentId(name)
    return agent_named(desk.directory, name).id


def _taker(directory: Directory, project: Project, name: str) -> AgentId:
    agent = agent_named(directory, name)
    if agent.id not in project.team:
        raise unknown(f"agent in the team of {project.name}", name, project.team)
    return agent.id


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise Misused(f"--on takes a day such as 2026-12-01, not {text!r}") from None
    if not is_sane_year(day.year):
        raise Misused(f"{text!r}: the year is out of range")
    return day
