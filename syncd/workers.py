"""Threads that run the work: a cap per provider, a rest per account, woken by commits. Knows nothing of what the
work is."""

import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from syncd.core.ids import AccountId
from syncd.errors import StoreBusy, StoreError
from syncd.flows.context import Context
from syncd.log import log
from syncd.runner import claim, resting, run_one
from syncd.store.queue import Work

THREADS = 32
IDLE = 30.0  # seconds between looks when nothing is due; a commit wakes sooner


class Workers:
    """A pool over the store's work queue. `beat` grows whenever a worker gets somewhere: the watchdog reads it."""

    def __init__(self, context: Callable[[], Context], threads: int = THREADS) -> None:
        self._context = context
        self._cap = max(1, threads // 2)  # at most half of the threads for one provider (G11)
        self._wake = threading.Condition()
        self._woken = 0
        self._busy: Counter[str] = Counter()
        self._claiming = threading.Lock()
        self._stopping = threading.Event()
        self._timer = threading.Lock()
        self._threads = [threading.Thread(target=self._run, name=f"worker-{n}", daemon=True) for n in range(threads)]
        self.beat = 0
        self.broken: StoreError | None = None

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Let the workers look at the queue now; called after each commit."""
        with self._wake:
            self._woken += 1
            self._wake.notify()

    def stop(self, within: float) -> bool:
        """Claim nothing more and wait for what is in hand; False where something is still running."""
        self._stopping.set()
        with self._wake:
            self._wake.notify_all()
        for thread in self._threads:
            thread.join(max(0.0, within / len(self._threads)) if within < 1 else within)
        return not any(thread.is_alive() for thread in self._threads)

    def _run(self) -> None:
        while not self._stopping.is_set():
            seen = self._woken
            try:
                work = self._claim()
                if work is not None:
                    self._do(work)
                    continue
            except StoreBusy as error:
                self.broken = error
                return
            except StoreError as error:
                log.error("the store refuses work", extra={"action": "store_unwritable", "error": str(error)})
            self.beat += 1
            self._sleep(seen)

    def _claim(self) -> Work | None:
        """Take the next due work whose account rests not and whose provider has a thread left."""
        ctx = self._context()
        now = ctx.clock.now()
        with self._claiming:
            skip = [*resting(ctx, now), *self._full(ctx)]
            with ctx.store.read() as tx:
                due = tx.queue.next_due(skip=skip)
            if due is None or due > now:
                return None
            work = claim(ctx, skip)
            if work is None:
                return None
            self._busy[self._provider(ctx, work)] += 1
        self.wake()  # there may be more: let the next thread look
        return work

    def _full(self, ctx: Context) -> list[str]:
        full = {provider for provider, count in self._busy.items() if provider and count >= self._cap}
        return [account for account, parts in ctx.accounts.items() if parts.kind in full]

    def _provider(self, ctx: Context, work: Work) -> str:
        parts = ctx.accounts.get(AccountId(work.group))
        return parts.kind if parts is not None else ""

    def _do(self, work: Work) -> None:
        ctx = self._context()
        try:
            run_one(ctx, work)
        finally:
            with self._claiming:
                self._busy[self._provider(ctx, work)] -= 1
            self.beat += 1

    def _sleep(self, seen: int) -> None:
        """Wait for a wake-up; one thread alone also waits for the clock, so that a due time wakes one and not all."""
        keeper = self._timer.acquire(blocking=False)
        try:
            wait = self._until_due() if keeper else None
            with self._wake:
                if self._woken == seen and not self._stopping.is_set():
                    self._wake.wait(wait)
        finally:
            if keeper:
                self._timer.release()

    def _until_due(self) -> float:
        ctx = self._context()
        with ctx.store.read() as tx:
            due = tx.queue.next_due(skip=resting(ctx, ctx.clock.now()))
        wait = IDLE if due is None else (due - ctx.clock.now()) / timedelta(seconds=1)
        return min(max(wait, 0.05), IDLE)
