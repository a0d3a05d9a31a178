"""Which agent of ours a scheduler's user is: by the stored id, else once by configured id or address (R096)."""

from syncd.core.directory import Agent
from syncd.core.ids import AccountId, AgentId
from syncd.flows.context import Context
from syncd.ports import RemoteBooking
from syncd.store import Tx


def host_of(ctx: Context, tx: Tx, account: AccountId, booking: RemoteBooking) -> AgentId | None:
    """Return the agent who hosts a booking, None for a stranger; a first match by address is stored under the id.

    Once an id is stored it alone decides: a stranger who takes over an old address is not that agent (T13), and one
    who left the configuration is still who that id names.
    """
    agents = ctx.directory.agents
    if booking.agent is not None and AgentId(booking.agent) in agents:
        return AgentId(booking.agent)  # the administrator's own table outweighs every guess
    if booking.host_id is None:
        return _by_email(list(agents.values()), booking.host_email)
    links = tx.accounts.links(account)
    stored = links.get(booking.host_id)
    if stored is not None:
        if booking.host_email is not None and stored[1] != booking.host_email:
            tx.accounts.link_agent(account, booking.host_id, stored[0], booking.host_email)
        return stored[0]
    taken = {agent for agent, _ in links.values()}
    free = [agent for agent in agents.values() if agent.id not in taken]
    found = _by_id(list(agents.values()), booking.host_id) or _by_email(free, booking.host_email)
    if found is not None:
        tx.accounts.link_agent(account, booking.host_id, found, booking.host_email)
    return found


def _by_id(agents: list[Agent], remote_id: str) -> AgentId | None:
    return next((agent.id for agent in agents if agent.scheduler_id == remote_id), None)


def _by_email(agents: list[Agent], email: str | None) -> AgentId | None:
    if email is None:
        return None
    wanted = email.casefold()
    usable = [agent for agent in agents if agent.scheduler_id is None]
    return next((agent.id for agent in usable if (agent.scheduler_email or agent.email).casefold() == wanted), None)
