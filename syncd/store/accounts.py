"""What we know of logins at outside systems: their health, users matched by id, subscriptions, small memories."""

from datetime import datetime

from syncd.core.ids import AccountId, AgentId
from syncd.store import rows
from syncd.store.engine import Db, first
from syncd.store.records import AccountState

__all__ = ["AccountState", "Accounts"]


class Accounts:
    """The accounts of one transaction."""

    def __init__(self, db: Db) -> None:
        self._db = db

    def state(self, account: AccountId) -> AccountState:
        """Return the state; an account nothing is known of has one with every field empty."""
        found = first(self._db.rows("account_get", id=account))
        return rows.account_of(found) if found is not None else AccountState(account=account)

    def states(self) -> list[AccountState]:
        """List the states that were ever saved, by account."""
        return [rows.account_of(row) for row in self._db.rows("account_all")]

    def resting(self, now: datetime) -> dict[AccountId, datetime]:
        """Return the accounts that must not be called before a moment that is still to come; nothing else is read."""
        found = self._db.rows("account_resting", now=rows.seconds(now))
        return {AccountId(row["id"]): rows.moment(row["not_before"]) for row in found}

    def save_state(self, state: AccountState) -> None:
        self._db.run("account_save", **rows.account_values(state))

    def agent_of(self, account: AccountId, remote_id: str) -> AgentId | None:
        """Return the agent linked to a scheduler's user id (R096: the id alone decides once stored)."""
        found = first(self._db.rows("link_get", account=account, remote_id=remote_id))
        return AgentId(found["agent_id"]) if found is not None else None

    def link_agent(self, account: AccountId, remote_id: str, agent: AgentId, email: str | None) -> None:
        """Insert or replace, by account and remote id."""
        self._db.run("link_put", account=account, remote_id=remote_id, agent=agent, email=email)

    def links(self, account: AccountId) -> dict[str, tuple[AgentId, str | None]]:
        """Return remote id -> (agent, the scheduler's own address)."""
        found = self._db.rows("links_of", account=account)
        return {row["remote_id"]: (AgentId(row["agent_id"]), row["email"]) for row in found}

    def get(self, account: AccountId, name: str) -> str | None:
        """Return a small durable memory (poll watermark, subscription generation, …)."""
        found = first(self._db.rows("memory_get", account=account, name=name))
        return str(found["value"]) if found is not None else None

    def put(self, account: AccountId, name: str, value: str | None) -> None:
        """Keep a small durable memory; None forgets it."""
        if value is None:
            self._db.run("memory_drop", account=account, name=name)
        else:
            self._db.run("memory_put", account=account, name=name, value=value)
