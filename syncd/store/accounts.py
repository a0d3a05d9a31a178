"""What we know of logins at outside systems: their health, users matched by id, subscriptions, small memories."""

from dataclasses import dataclass
from datetime import datetime

from syncd.core.ids import AccountId, AgentId


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountState:
    account: AccountId
    parked: str = ""  # AuthFailed: why; polling stops until cleared
    failures: int = 0  # in a row
    failing_since: datetime | None = None
    not_before: datetime | None = None  # the breaker: no call before
    last_success: datetime | None = None
    error: str = ""
    requests: int = 0


class Accounts:
    def state(self, account: AccountId) -> AccountState:
        raise NotImplementedError

    def states(self) -> list[AccountState]:
        raise NotImplementedError

    def save_state(self, state: AccountState) -> None:
        raise NotImplementedError

    def agent_of(self, account: AccountId, remote_id: str) -> AgentId | None:
        """Return the agent linked to a scheduler's user id (R096: the id alone decides once stored)."""
        raise NotImplementedError

    def link_agent(self, account: AccountId, remote_id: str, agent: AgentId, email: str | None) -> None:
        raise NotImplementedError

    def links(self, account: AccountId) -> dict[str, tuple[AgentId, str | None]]:
        """Return remote id -> (agent, the scheduler's own address)."""
        raise NotImplementedError

    def get(self, account: AccountId, name: str) -> str | None:
        """Return a small durable memory (poll watermark, subscription generation, …)."""
        raise NotImplementedError

    def put(self, account: AccountId, name: str, value: str | None) -> None:
        raise NotImplementedError
