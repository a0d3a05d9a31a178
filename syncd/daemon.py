"""The long-running process: web server, workers, beats, signals, and the word to systemd. What is decided is
decided elsewhere."""

import os
import queue
import select
import signal
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Protocol

import schedule

from syncd import notify
from syncd.control import Answer, Call, ControlServer, Tell
from syncd.errors import ConfigError, StoreError, SyncdError
from syncd.flows.context import Context
from syncd.flows.say import alert, recovered
from syncd.log import log
from syncd.operations import Desk, perform
from syncd.runner import poll_all, sweep, try_logins_again
from syncd.store import Tx
from syncd.web.serve import Server
from syncd.workers import Workers

SWEEP = timedelta(minutes=10)
STOP_WITHIN = 10.0  # seconds
LONGEST_WAIT = 30.0  # seconds between looks at the clocks
LATE = 15.0  # seconds by which a beat may be late before the wall clock is taken to have been set


class Installed(Protocol):
    """What the daemon runs: everything a configuration names, put together."""

    @property
    def context(self) -> Context:
        """Return what the flows are handed; another one after a reload."""
        ...

    def server(self, sockets: Sequence[socket.socket]) -> Server: ...

    def link_key(self) -> bytes: ...

    def reload(self) -> None:
        """Read the configuration again; raises ConfigError, and everything stays as it was."""
        ...

    def close(self) -> None: ...


class Word(Enum):
    """What wakes the main thread."""

    STOP = "stop"
    RELOAD = "reload"
    BROKEN = "broken"


class Words:
    """Words for the main thread, which waits for them; signal handlers and other threads say them.

    The wait is one for a pipe and not for a lock: Python runs a handler only between two steps of the main thread,
    and a signal that comes just before it falls asleep on a lock is looked at when the wait is over, half a minute
    later. A pipe that the interpreter writes to as the signal comes ends the wait.
    """

    def __init__(self) -> None:
        self._said: queue.SimpleQueue[Word] = queue.SimpleQueue()  # the only queue that a signal handler may use
        self._ear, self._mouth = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._poll = select.poll()  # unlike select, it takes descriptors beyond 1023
        self._poll.register(self._ear, select.POLLIN)

    def put(self, word: Word) -> None:
        self._said.put(word)
        with suppress(BlockingIOError):  # full: there is more than enough to wake up for
            os.write(self._mouth, b"\0")

    def get(self, timeout: float) -> Word | None:
        """Return the next word, None where none was said within so many seconds, or something else woke us."""
        if self._said.empty():
            self._poll.poll(timeout * 1000)
        with suppress(BlockingIOError):
            os.read(self._ear, 4096)
        with suppress(queue.Empty):
            return self._said.get_nowait()
        return None

    def hear_signals(self) -> None:
        """Let every signal end the wait from now on; for the main thread only."""
        signal.set_wakeup_fd(self._mouth, warn_on_full_buffer=False)

    def hear_none(self) -> None:
        signal.set_wakeup_fd(-1)


class Daemon:
    """Holds the parts and their order: store, web, control, workers, beats; stopped the other way round."""

    def __init__(self, installed: Installed, control: Path) -> None:
        self._installed = installed
        self.words = Words()
        self.workers = Workers(lambda: installed.context, on_broken=lambda: self.words.put(Word.BROKEN))
        self._control = ControlServer(control, self._perform)
        self._server: Server | None = None
        self._beats = Beats(installed)
        self._watchdog = notify.watchdog_seconds()
        self._seen = -1
        self._fed = 0.0

    def run(self) -> int:
        """Run until told to stop; returns the exit code: 75 where another process took the store. Raises OSError
        where the address to listen on cannot be had."""
        try:
            self._start()
            self._loop()
        finally:
            self._halt()
        return 75 if self.workers.broken is not None else 0

    def stop(self) -> None:
        """End `run`; safe in a signal handler."""
        self.words.put(Word.STOP)

    def reload(self) -> None:
        """Have the configuration read again; safe in a signal handler."""
        self.words.put(Word.RELOAD)

    def _start(self) -> None:
        ctx = self._installed.context
        ctx.store.write(lambda tx: tx.queue.release_leases())
        ctx.store.on_commit(self.workers.wake)
        self._server = self._installed.server(notify.passed_sockets())
        self._server.start()
        self._control.start()
        self._beats.plan()
        self._beats.all_now()
        self.workers.start()
        notify.notify("READY=1", f"STATUS={self._status()}")
        log.info("ready", extra={"action": "started", "listen": self._where()})

    def _status(self) -> str:
        if self._installed.context.store.restored:
            return "recovery after a restore: reading only; see `syncd plan`, then `syncd recover --finish`"
        return f"serving {self._where()}"

    def _where(self) -> str:
        assert self._server is not None  # noqa: S101 - asked only after it started
        return ":".join(map(str, self._server.address))

    def _loop(self) -> None:
        while True:
            match self._next_word():
                case Word.STOP | Word.BROKEN:
                    break
                case Word.RELOAD:
                    self._reload_now()
            self._beats.run()
            self._feed()
            if not self.workers.alive():
                break
        if self.workers.broken is not None:
            log.error("another process took the store", extra={"action": "store_lost"})

    def _next_word(self) -> Word | None:
        wait = self._beats.wait()
        if self._watchdog is not None:
            wait = min(wait, self._watchdog / 4)
        return self.words.get(max(wait, 0.01))

    def _feed(self) -> None:
        """Feed the watchdog only while the store commits, the web server lives and some worker gets somewhere (F49)."""
        now = self._installed.context.clock.monotonic()
        if self._watchdog is None or now - self._fed < self._watchdog / 5:
            return
        with suppress(StoreError):  # refused is an answer: a full disk is no reason to restart
            self._installed.context.store.write(lambda tx: None)
        beat, alive = self.workers.beat, self._server is not None and self._server.alive()
        if beat != self._seen and alive:
            self._seen, self._fed = beat, now
            notify.notify("WATCHDOG=1")
        self.workers.wake()

    def _reload_now(self) -> None:
        clock = self._installed.context.clock
        notify.notify("RELOADING=1", f"MONOTONIC_USEC={int(clock.monotonic() * 1_000_000)}")
        try:
            self._installed.reload()
        except ConfigError as error:
            for problem in error.problems:
                log.error(problem, extra={"action": "reload_refused"})
            notify.notify("READY=1", f"STATUS=the old configuration stays: {error.problems[0]}")
            return
        self._beats.plan()
        self._beats.all_now()
        log.info("reloaded", extra={"action": "reloaded"})
        notify.notify("READY=1", f"STATUS={self._status()}")

    def _perform(self, call: Call, tell: Tell) -> Answer:
        installed = self._installed
        desk = Desk(context=installed.context, link_key=installed.link_key, workers=self.workers, tell=tell)
        return perform(desk, call)

    def _halt(self) -> None:
        """Stop in the time systemd gives: nothing new is taken, what is in hand may end."""
        clock = self._installed.context.clock
        until = clock.monotonic() + STOP_WITHIN
        notify.notify("STOPPING=1")
        log.info("stopping", extra={"action": "stopping"})
        self.workers.wind_down()
        self._control.stop(within=1.0)
        if self._server is not None:
            self._server.stop()
        if not self.workers.stop(max(0.0, until - clock.monotonic() - 1.0)):
            log.warning("work left in hand; it is taken up at the next start", extra={"action": "left_in_hand"})
        self._installed.close()


class Beats:
    """What is done every so often. `schedule` only enqueues; a beat that fails must not take the others with it."""

    def __init__(self, installed: Installed) -> None:
        self._installed = installed
        self._jobs = schedule.Scheduler()
        self._polled = 0.0

    def plan(self) -> None:
        self._jobs.clear()
        self._jobs.every(max(1, round(self._poll_every()))).seconds.do(self._guarded, self._poll)
        self._jobs.every(round(SWEEP / timedelta(seconds=1))).seconds.do(self._guarded, self._sweep)
        self._jobs.every(24).hours.do(self._check)

    def _poll_every(self) -> float:
        return self._installed.context.policy.poll_every / timedelta(seconds=1)

    def all_now(self) -> None:
        """Look at everything now, and try the logins that were refused: this follows a start or a reload."""
        self._guarded(lambda: try_logins_again(self._installed.context))
        self._guarded(self._sweep)

    def run(self) -> None:
        """Do what is due. `schedule` goes by the local wall clock, which may be set back: a late beat starts anew."""
        if self._installed.context.clock.monotonic() - self._polled > self._poll_every() + LATE:
            self.plan()
            self._guarded(self._sweep)
        self._jobs.run_pending()

    def wait(self) -> float:
        """Return the seconds until the next beat."""
        return min(self._jobs.idle_seconds or LONGEST_WAIT, LONGEST_WAIT)

    def _poll(self) -> None:
        ctx = self._installed.context
        self._polled = ctx.clock.monotonic()
        poll_all(ctx, ctx.clock.now())

    def _sweep(self) -> None:
        ctx = self._installed.context
        self._polled = ctx.clock.monotonic()
        sweep(ctx, ctx.clock.now())

    def _check(self) -> None:
        """Have the store look itself over, aside: that may take longer than the watchdog waits (F25)."""
        job = partial(check_store, self._installed.context)
        threading.Thread(target=self._guarded, args=(job,), name="check", daemon=True).start()

    def _guarded(self, job: Callable[[], None]) -> None:
        try:
            job()
        except SyncdError as error:
            log.error("a beat failed", extra={"action": "beat_failed", "error": str(error)})


def check_store(ctx: Context) -> None:
    """Look the store over; raises an alert where something is wrong, and closes it where nothing is any more."""
    problems, now = ctx.store.check(), ctx.clock.now()
    text = f"the store fails its check: {'; '.join(problems)[:400]}. Stop syncd and restore the last backup."

    def note(tx: Tx) -> None:
        if problems:
            alert(tx, "store_damaged", "store", text, now)
        else:
            recovered(tx, "store_damaged", "store", now)

    ctx.store.write(note)


def run(installed: Installed, control: Path) -> int:
    """Run the daemon until a signal ends it: what `syncd run` does. Commands are taken at the path `control`."""
    daemon = Daemon(installed, control)
    daemon.words.hear_signals()
    signal.signal(signal.SIGTERM, lambda *_: daemon.stop())
    signal.signal(signal.SIGINT, lambda *_: daemon.stop())
    signal.signal(signal.SIGHUP, lambda *_: daemon.reload())
    try:
        code = daemon.run()
    finally:
        daemon.words.hear_none()
    sys.stderr.flush()
    if daemon.workers.running():
        os._exit(code)  # a call that hangs must not hold up the end; its lease is freed at the next start
    return code
