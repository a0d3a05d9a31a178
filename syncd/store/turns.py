"""Whose turn it is: how many visits each agent of a team has had, and where those who joined later began."""

from collections.abc import Mapping, Sequence

from syncd.core.ids import AgentId, EventTypeId, ProjectId
from syncd.store.engine import Db


class Turns:
    """The rotations of one transaction, one for each project and event type."""

    def __init__(self, db: Db) -> None:
        self._db = db

    def counts(self, project: ProjectId, event_type: EventTypeId, agents: Sequence[AgentId]) -> dict[AgentId, int]:
        """Return each agent's turns; in a writing transaction, whoever is new is noted with where he begins."""
        place = {"project": project, "event_type": event_type}
        found = self._db.rows("turn_counts", agents=list(agents), **place)
        visits: dict[AgentId, int] = {row["agent_id"]: row["visits"] for row in found}
        known = {row["agent_id"]: row["base"] for row in self._db.rows("turn_bases", **place)}
        bases = with_newcomers(agents, visits, known)
        if self._db.writable and bases != known:
            self._keep(place, bases, known)
        return {agent: bases[agent] + visits.get(agent, 0) for agent in agents}

    def _keep(self, place: dict[str, str], bases: Mapping[AgentId, int], known: Mapping[AgentId, int]) -> None:
        """Remember who is in the team; one who left and comes back is new again."""
        self._db.run("turn_base_drop", agents=list(bases), **place)
        new = [agent for agent in bases if agent not in known]
        self._db.many("turn_base_put", [{"agent": agent, "base": bases[agent], **place} for agent in new])


def with_newcomers(
    agents: Sequence[AgentId], visits: Mapping[AgentId, int], known: Mapping[AgentId, int]
) -> dict[AgentId, int]:
    """Return the turns each agent began with: nothing for a first team, the present minimum for whoever joins it."""
    members = {agent: known[agent] for agent in agents if agent in known}
    least = min((base + visits.get(agent, 0) for agent, base in members.items()), default=0)
    return {agent: members.get(agent, max(0, least - visits.get(agent, 0))) for agent in agents}
