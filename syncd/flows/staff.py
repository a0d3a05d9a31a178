"""By which addresses and numbers our own agents are known, worked out once for each configuration."""

from syncd.core.contacts import Identifier
from syncd.core.directory import Agent, Directory
from syncd.core.ids import AgentId
from syncd.identity import identifiers_of


class KnownStaff:
    """Tells an agent's own address or number from a client's. Serves one directory."""

    def __init__(self) -> None:
        self._agents: dict[Identifier, AgentId] | None = None

    def agent(self, directory: Directory, identifier: Identifier) -> AgentId | None:
        """Return the agent who is known by this identifier, None where it is no agent's."""
        if self._agents is None:
            agents = directory.agents.values()
            self._agents = {known: one.id for one in agents for known in _known_by(one, directory.region)}
        return self._agents.get(identifier)


def _known_by(agent: Agent, region: str) -> frozenset[Identifier]:
    own = identifiers_of(agent.email, agent.mobile, None, region)
    return own | identifiers_of(agent.scheduler_email, None, None, region)
