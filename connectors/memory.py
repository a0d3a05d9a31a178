"""An outside world inside the process, for tests and trials: calendars, a home, a scheduler, push and hooks.

It behaves as real providers do (etags, cursors that die, conditional writes, complete listings), and misbehaves on
command.
"""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from connectors._memory_calendar import MemoryCalendar, MemoryHome
from connectors._memory_desk import Desk, Post
from connectors._memory_faults import Fault, Faults, possible
from connectors._memory_scheduler import MemoryPush, MemoryScheduler, hook, signed
from connectors._memory_shelf import Author, Entry, Shelf
from connectors._memory_world import World, world_named
from syncd.core.ids import AccountId
from syncd.ports import CalendarUse, Check, ConnectorSpec, Environment

__all__ = [
    "SPEC",
    "Author",
    "Desk",
    "Entry",
    "Fault",
    "Faults",
    "MemoryCalendar",
    "MemoryHome",
    "MemoryPush",
    "MemoryScheduler",
    "MemorySettings",
    "Post",
    "Shelf",
    "World",
    "hook",
    "possible",
    "signed",
    "world_named",
]


class MemorySettings(BaseModel):
    """Which world of this process, and the keys its desk signs with."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    world: str = "default"
    signing_keys: list[str] = Field(default=["memory"], min_length=1)


def calendar(account: AccountId, settings: Any, env: Environment, use: CalendarUse) -> MemoryCalendar:
    return MemoryCalendar(world_named(settings.world, env.clock), account, use.name)


def home(account: AccountId, settings: Any, env: Environment, names: Sequence[str]) -> MemoryHome:
    return MemoryHome(world_named(settings.world, env.clock), account, names)


def scheduler(account: AccountId, settings: Any, env: Environment) -> MemoryScheduler:
    return MemoryScheduler(world_named(settings.world, env.clock), account)


def push(account: AccountId, settings: Any, env: Environment) -> MemoryPush:
    return MemoryPush(world_named(settings.world, env.clock), account, env.public_url)


def check(account: AccountId, settings: Any, env: Environment, names: Sequence[str]) -> list[Check]:
    """Say which of the named calendars and event types are there; a calendar appears when it is first used."""
    world = world_named(settings.world, env.clock)
    found = {*world.shelves(account), *world.desk(account).kinds}
    return [Check(what=name, state="ok", text="there" if name in found else "made on its first use") for name in names]


SPEC = ConnectorSpec(
    kind="memory",
    settings_model=MemorySettings,
    check=check,
    calendar=calendar,
    home=home,
    scheduler=scheduler,
    push=push,
    hook=hook,
)
