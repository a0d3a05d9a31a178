"""The whole program over a memory world: real store, real flows, one thread, time that moves when told to."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from connectors.memory import (
    Desk,
    MemoryCalendar,
    MemoryHome,
    MemoryPush,
    MemoryScheduler,
    MemorySettings,
    Post,
    Shelf,
    World,
    hook,
    signed,
)
from syncd import runner
from syncd.core.directory import CalendarRef, Directory
from syncd.core.ids import AccountId, AgentId, VisitId
from syncd.core.letter import Channel
from syncd.core.visit import Contact, Slot, Visit
from syncd.flows.book import Booking
from syncd.flows.context import AccountParts, Context
from syncd.store import Store, Tx, open_store
from syncd.store.queue import Notice, Work, WorkKind
from syncd.store.visits import Cause
from syncd.web.counts import Counts
from syncd.web.hooks import Hooks
from tests.world import town
from tests.world.carrier import Carrier, plain_words
from tests.world.clock import VirtualClock
from tests.world.crash import Reaper

SETTINGS = MemorySettings()
PUBLIC = "https://visitas.example"
SWEEP = timedelta(minutes=10)
REMOTE_LENGTH = timedelta(minutes=20)


class Stage:
    """One installation of syncd and the world around it."""

    def __init__(
        self,
        directory: Directory | None = None,
        *,
        seed: int = 0,
        start: datetime = town.START,
        clock: VirtualClock | None = None,
        store: Store | None = None,
    ) -> None:
        self.clock = clock or VirtualClock(start, seed)
        self.outside = World(self.clock)
        self.reaper = Reaper()
        self.outside.applied = lambda call: self.reaper("C18")
        self.store = store or open_store(":memory:", self.clock, inline=True)
        self.counts = Counts()
        self.carriers: dict[AccountId, Carrier] = {}
        self.ctx = self._context(directory or town.directory())
        self.hooks = Hooks(lambda: self.ctx, self.counts)
        self.answers: list[int] = []
        self.accepted: set[str] = set()  # keys of the deliveries that were answered 204
        self.unlooked: set[str] = set()  # names in accepted deliveries that nobody has begun to look at since
        self.dragged: set[str] = set()  # tags of entries of ours that a person moved, and deleted
        self.deleted: set[str] = set()
        self.offers: list[tuple[datetime, list[Slot]]] = []  # what was offered and is still to be judged
        self._beat_at = self._sweep_at = start
        for agent in self.ctx.directory.agents:
            self.desk.add_host(f"user-{agent}", f"{agent}@a.example")
        self.desk.add_kind(town.REMOTE_STANDARD, REMOTE_LENGTH, *(f"user-{one}" for one in self.ctx.directory.agents))

    def _context(self, directory: Directory) -> Context:
        return Context(
            store=self.store,
            directory=directory,
            clock=self.clock,
            calendar_of=lambda ref: MemoryCalendar(self.outside, ref.account, ref.name),
            accounts=self._accounts(directory),
            generation="g",
            public_url=PUBLIC,
            crashpoint=self.reaper,
            compose=plain_words,
        )

    def _accounts(self, directory: Directory) -> dict[AccountId, AccountParts]:
        names: dict[AccountId, list[str]] = {}
        for ref in directory.calendars():
            names.setdefault(ref.account, []).append(ref.name)
        parts = {
            account: AccountParts(
                id=account,
                kind="memory",
                home=partial(MemoryHome, self.outside, account, sorted(set(calendars)))
                if account == town.HOME
                else None,
            )
            for account, calendars in names.items()
        }
        parts[town.SCHEDULER] = AccountParts(
            id=town.SCHEDULER,
            kind="memory",
            scheduler=partial(MemoryScheduler, self.outside, town.SCHEDULER),
            push=partial(MemoryPush, self.outside, town.SCHEDULER, PUBLIC),
            hook=partial(hook, town.SCHEDULER, SETTINGS),
        )
        return parts | {account: self._parts_of(account) for account in self.carriers}

    def _parts_of(self, account: AccountId) -> AccountParts:
        return AccountParts(id=account, kind="memory", provider=account, messenger=lambda: self.carriers[account])

    def carrier(self, channel: str, account: AccountId | None = None) -> Carrier:
        """Let the installation have an account that carries messages over a channel, and return its service."""
        account = account or AccountId(f"by-{channel}")
        made = Carrier(Channel(channel), self.clock, reached=self.reaper)
        self.carriers[account] = made
        self.ctx.accounts[account] = self._parts_of(account)
        return made

    # -- people and places

    @property
    def desk(self) -> Desk:
        return self.outside.desk(town.SCHEDULER)

    def shelf(self, agent: str, role: str = "publish") -> Shelf:
        """Return the calendar of an agent in a role."""
        ref = self.ref(agent, role)
        return self.outside.shelf(ref.account, ref.name)

    def ref(self, agent: str, role: str = "publish") -> CalendarRef:
        calendars = self.ctx.directory.agents[AgentId(agent)].calendars
        return next(one for one in calendars if one.role.value == role)

    def remote(self, start: datetime, host: str = "ana") -> str:
        """Let a client book at the scheduler; returns the booking's id."""
        return self.desk.book(town.REMOTE_STANDARD, start, host=f"user-{host}")

    def booking(self, start: datetime, **changes: object) -> Booking:
        """Return what a caller of the API asks for."""
        made = Booking(
            project=town.CASAS,
            start=start,
            contact=Contact(name="Eva Díaz", email="eva@example.com"),
            source=AccountId("api"),
        )
        return replace(made, **changes)  # type: ignore[arg-type]

    def cause(self, actor: str = "api:crm") -> Cause:
        return Cause(at=self.clock.now(), actor=actor, source="api")

    # -- webhooks

    def post(self, post: Post, key: str = "memory") -> int:
        """Deliver one webhook call through the real hook route; returns the status."""
        response = self.hooks.judge(self.ctx, town.SCHEDULER, signed(key, post.body), post.body)
        self.answers.append(response.status_code)
        return response.status_code

    def pushed(self, agent: str) -> None:
        """Let a calendar's push say that something changed, whether or not anything did."""
        ref, now = self.ref(agent), self.clock.now()
        self.store.write(lambda tx: tx.queue.touch(WorkKind.PULL, ref.id, now, group=ref.account))

    def post_all(self) -> None:
        """Deliver everything that the scheduler has sent and nobody has delivered yet."""
        while self.desk.posts:
            self.post(self.desk.posts.pop(0))

    # -- time

    def beat(self) -> None:
        """Do what the daemon does at this hour: touch every account, and now and then every name."""
        now = self.clock.now()
        if now >= self._sweep_at or self._sweep_at - now > SWEEP:
            runner.sweep(self.ctx, now)
            self._sweep_at, self._beat_at = now + SWEEP, now + self.ctx.policy.poll_every
        elif now >= self._beat_at:
            runner.poll_all(self.ctx, now)
            self._beat_at = now + self.ctx.policy.poll_every

    def settle(self, most: int = 2_000, kinds: Sequence[WorkKind] | None = None) -> int:
        """Run everything that is due now, or everything of some kinds; returns how much that was."""
        ran = runner.drain(self.ctx, most=most) if kinds is None else self._settle(kinds)
        assert ran < most, f"never quiet: {self.due()}"
        return ran

    def _settle(self, kinds: Sequence[WorkKind]) -> int:
        ran = 0
        while True:
            claim = self.store.write(lambda tx: tx.queue.claim(self.clock.now(), runner.LEASE, kinds=kinds))
            if not claim:
                return ran
            runner.run_one(self.ctx, claim[0])
            ran += 1

    def cycle(self) -> int:
        """One round of pull, reconcile and publish, hooks included."""
        self.post_all()
        runner.sweep(self.ctx, self.clock.now())
        return self.settle()

    def pass_time(self, span: timedelta, step: timedelta | None = None) -> None:
        """Let time pass, beats and due work included, hooks delivered as they come."""
        end = self.clock.now() + span
        while self.clock.now() < end:
            self.clock.advance(min(step or self.ctx.policy.poll_every, end - self.clock.now()))
            self.post_all()
            self.beat()
            self.settle()

    def restart(self) -> None:
        """Die and come back: only what was committed is still there."""
        self.store.load(self.store.snapshot())
        self.store.write(lambda tx: tx.queue.release_leases())
        runner.sweep(self.ctx, self.clock.now())

    def reload(self, directory: Directory) -> None:
        """Change the configuration."""
        self.ctx = self._context(directory)
        runner.sweep(self.ctx, self.clock.now())

    # -- what is known

    def due(self) -> list[str]:
        with self.store.read() as tx:
            due = tx.queue.next_due()
            return [f"{kind}: {number}" for kind, (number, _) in tx.queue.depths(self.clock.now()).items()] + [str(due)]

    def look(self, fn: Callable[[Tx], object]) -> object:
        with self.store.read() as tx:
            return fn(tx)

    def visits(self) -> list[Visit]:
        with self.store.read() as tx:
            return tx.visits.search(limit=10_000)

    def visit(self, visit_id: str) -> Visit:
        with self.store.read() as tx:
            return tx.visits.get(VisitId(visit_id))

    def visit_of(self, booking: str) -> Visit:
        with self.store.read() as tx:
            found = tx.visits.find_by_source(town.SCHEDULER, booking)
        assert found is not None, "the booking has no visit"
        return found

    def notices(self, channel: str, kind: str | None = None, state: str | None = None) -> list[Notice]:
        with self.store.read() as tx:
            found = tx.queue.notices(channel=channel, state=state, limit=10_000)
        return [one for one in found if kind in (None, one.kind)]

    def dead(self) -> Sequence[Work]:
        with self.store.read() as tx:
            return tx.queue.dead()
