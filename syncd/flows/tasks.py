"""What people have been asked to do: listed, and ticked off. One way in for shell, API and staff."""

from dataclasses import replace

from syncd.core.ids import AgentId
from syncd.flows.context import Context
from syncd.store import Tx
from syncd.store.queue import Notice

MOST = 1_000
STATES = ("open", "done", "all")


def agent_of(task: Notice) -> str | None:
    """Return whose task it is, None where nobody is named."""
    return task.to.removeprefix("agent:") or None


def list_tasks(ctx: Context, *, agent: AgentId | None = None, state: str = "open") -> list[Notice]:
    """List tasks in the order in which they were opened; `state` is one of STATES."""
    with ctx.store.read() as tx:
        found = tx.queue.notices(channel="task", state=None if state == "all" else state, limit=MOST)
    return [one for one in found if agent is None or agent_of(one) == agent]


def tick(ctx: Context, key: str) -> Notice | None:
    """Tick a task off, one that is done already too; None where there is no such task."""

    def done(tx: Tx) -> Notice | None:
        found = tx.outbox.find(key)
        if found is None or found.channel != "task":
            return None
        tx.queue.set_notice(key, "done")
        return replace(found, state="done")

    return ctx.store.write(done)
