"""Threads that run the work: a cap per provider, a rest per account, woken by commits. Knows nothing of what the
work is.

One thread alone looks into the queue and hands out what is due, several pieces in one transaction; the others wait
for what they are handed. So no wake-up is lost between threads, none is woken in vain, and idleness costs nothing.
"""

import queue
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta

from syncd.core.ids import AccountId
from syncd.errors import StoreBusy, StoreError
from syncd.flows.context import Context
from syncd.log import log
from syncd.runner import claim_in, rests, run_one
from syncd.store import Tx
from syncd.store.queue import Work

THREADS = 32
IDLE = timedelta(seconds=30)  # between looks when nothing is due; a commit wakes sooner
ELSEWHERE = timedelta(seconds=1)  # another process of a shared store was quicker
STORE_REST = timedelta(seconds=5)  # between looks while the store takes nothing


class Workers:
    """A pool over the store's work queue. `beat` grows whenever somebody gets somewhere: the watchdog reads it."""

    def __init__(
        self, context: Callable[[], Context], threads: int = THREADS, on_broken: Callable[[], None] = lambda: None
    ) -> None:
        self._context = context
        self._cap = max(1, threads // 2)  # at most half of the threads for one provider (G11)
        self._size = threads
        self._on_broken = on_broken
        lock = threading.RLock()  # guards what follows
        self._state = threading.Condition(lock)  # the one who hands out waits on it
        self._settled = threading.Condition(lock)
        self._woken = 0
        self._rounds = 0  # grows whenever something was put down or nothing was found due
        self._claiming = False  # between taking work in the store and having it in hand
        self._in_hand: dict[tuple[str, str], str] = {}  # (kind, key) -> provider
        self._next: dict[tuple[str, str], Work] = {}  # claimed while it is in hand: its turn comes when it is put down
        self._store_down = False
        self._stopping = threading.Event()
        self._line: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._hand_out, name="hand-out", daemon=True)]
        self._threads += [threading.Thread(target=self._run, name=f"worker-{n}", daemon=True) for n in range(threads)]
        self.beat = 0
        self.broken: StoreError | None = None

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Have the queue looked at now; called after each commit."""
        with self._state:
            self._woken += 1
            self._state.notify()

    def stop(self, within: float) -> bool:
        """Claim nothing more and wait for what is in hand; False where something is still running."""
        self.wind_down()
        until = self._context().clock.monotonic() + within
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, until - self._context().clock.monotonic()))
        return not self.running()

    def wind_down(self) -> None:
        """Claim nothing from now on; what is in hand goes on."""
        self._stopping.set()
        with self._state:
            self._woken += 1
            self._state.notify()
            self._note_round()

    def running(self) -> bool:
        """Tell whether any thread of the pool has not ended yet."""
        return any(thread.is_alive() for thread in self._threads)

    def alive(self) -> bool:
        """Tell whether the thread that hands out still runs; it only ends when it was told to."""
        return self._threads[0].is_alive() and self.broken is None

    def wait_quiet(
        self, within: float, progress: Callable[[int], None] = lambda left: None, soon: timedelta = timedelta(0)
    ) -> bool:
        """Wait until nothing is in hand and nothing due, now or `soon`; False when time is up or the pool stops."""
        clock = self._context().clock
        until = clock.monotonic() + within
        while not self._stopping.is_set() and self.broken is None:
            with self._state:
                seen = self._rounds
            left = self._left(soon)
            progress(left)
            if left == 0:
                return True
            if not self._next_round(seen, until - clock.monotonic()):
                return False
        return False

    def _next_round(self, seen: int, within: float) -> bool:
        """Wait until something was put down or found quiet since round `seen`; False when time is up."""
        with self._state:
            return self._settled.wait_for(lambda: self._rounds != seen, within)

    def _left(self, soon: timedelta) -> int:
        """Count what is in hand and what falls due and may run, both at one moment: a worker puts down what it has only
        after what came of it is in the queue."""
        ctx = self._context()
        now = ctx.clock.now()
        skip = [*rests(ctx, now + soon)]
        with self._state, ctx.store.read() as tx:
            due = tx.queue.next_due(skip=skip)
            in_hand = max(len(self._in_hand), int(self._claiming))
            if due is None or due > now + soon:
                return in_hand
            return max(in_hand, 1, sum(count for count, _ in tx.queue.depths(now).values()))

    # --- the one who hands out --------------------------------------------------------------------------------------

    def _hand_out(self) -> None:
        while not self._stopping.is_set() and self.broken is None:
            seen = self._woken
            wait = self._look()
            with self._state:
                if self._woken == seen and not self._stopping.is_set():
                    self._state.wait(max(0.0, wait / timedelta(seconds=1)))
        for _ in range(self._size):
            self._line.put(None)

    def _look(self) -> timedelta:
        """Hand out what is due; returns how long nothing else will be. A store that takes nothing is asked again."""
        try:
            wait = self._hand_out_due()
        except StoreBusy as error:
            self._break(error)
            return IDLE
        except StoreError as error:
            self._note_store(error)
            return STORE_REST
        return wait

    def _hand_out_due(self) -> timedelta:
        ctx = self._context()
        now = ctx.clock.now()
        resting = rests(ctx, now)
        with self._state:
            providers = Counter(self._in_hand.values())
        if providers.total() >= self._size:
            return IDLE  # whoever ends wakes us
        self.beat += 1
        full = self._full(ctx, providers)
        with ctx.store.read() as tx:
            due = tx.queue.next_due(skip=[*resting, *full])
        if due is None or due > now:
            self._note_round()
            moments = [moment for moment in (due, *resting.values()) if moment is not None]
            return min([moment - now for moment in moments] + [IDLE])
        self._claiming = True
        try:
            taken = ctx.store.write(lambda tx: self._claim(ctx, tx, [*resting], Counter(providers)))
            self._give(ctx, taken)
        finally:
            self._claiming = False
        self._note_store(None)
        return timedelta(0) if taken else ELSEWHERE

    def _claim(self, ctx: Context, tx: Tx, resting: Sequence[str], providers: Counter[str]) -> list[Work]:
        """Claim as much as there are free threads, each provider within its cap, all in one transaction."""
        taken: list[Work] = []
        while providers.total() < self._size:
            work = claim_in(tx, ctx.clock.now(), [*resting, *self._full(ctx, providers)])
            if work is None:
                break
            taken.append(work)
            providers[_provider(ctx, work)] += 1
        return taken

    def _full(self, ctx: Context, providers: Counter[str]) -> list[str]:
        full = {provider for provider, count in providers.items() if provider and count >= self._cap}
        return [account for account, parts in ctx.accounts.items() if (parts.provider or parts.kind) in full]

    def _give(self, ctx: Context, taken: Sequence[Work]) -> None:
        for work in taken:
            name = (work.kind.value, work.key)
            with self._state:
                if (
                    name in self._in_hand
                ):  # its lease ran out under a slow worker, or one just finished and still has it
                    self._next[name] = work
                else:
                    self._in_hand[name] = _provider(ctx, work)
                    self._line.put(work)

    # --- those who work ---------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while (work := self._line.get()) is not None:
            try:
                run_one(self._context(), work)
            except StoreBusy as error:
                self._break(error)
            except StoreError as error:  # the lease ends by itself, then it is tried again
                self._note_store(error)
            finally:
                self._put_down(work)

    def _put_down(self, work: Work) -> None:
        name = (work.kind.value, work.key)
        with self._state:
            again = self._next.pop(name, None)
            if again is None or self._stopping.is_set():
                self._in_hand.pop(name, None)
            else:
                self._line.put(again)
            self.beat += 1
            self._woken += 1
            self._state.notify()
            self._note_round()

    def _note_round(self) -> None:
        with self._state:
            self._rounds += 1
            self._settled.notify_all()

    def _break(self, error: StoreError) -> None:
        self.broken = error
        self.wind_down()
        self._on_broken()

    def _note_store(self, error: StoreError | None) -> None:
        """Say once that the store takes nothing, and once that it does again."""
        if error is not None and not self._store_down:
            log.error("the store refuses work", extra={"action": "store_unwritable", "error": str(error)})
        if error is None and self._store_down:
            log.info("the store takes work again", extra={"action": "store_writable"})
        self._store_down = error is not None


def _provider(ctx: Context, work: Work) -> str:
    parts = ctx.accounts.get(AccountId(work.group))
    return parts.provider or parts.kind if parts is not None else ""
