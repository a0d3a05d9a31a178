"""The long-running process: web server, workers, beats, signals, and the word to systemd. What is decided is
decided elsewhere."""

import signal
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import schedule

from syncd import notify
from syncd.control import ControlServer
from syncd.errors import ConfigError, SyncdError
from syncd.log import log
from syncd.runner import sweep
from syncd.web.serve import Server
from syncd.wiring import Installation, install
from syncd.workers import Workers

SWEEP = timedelta(minutes=10)
STOP_WITHIN = 10.0  # seconds


class Daemon:
    """Holds the parts and their order: store, web, workers, beats; stopped the other way round."""

    def __init__(self, installation: Installation) -> None:
        self._installed = installation
        self._stop = threading.Event()
        self._reload = threading.Event()
        self._beats = schedule.Scheduler()
        self.workers = Workers(lambda: installation.context)
        self._control = ControlServer(installation)
        self._server: Server | None = None
        self._seen = -1
        self._fed = 0.0

    def run(self) -> int:
        """Run until told to stop; returns the exit code."""
        self._start()
        try:
            self._loop()
        finally:
            self._halt()
        return 75 if self.workers.broken is not None else 0

    def _start(self) -> None:
        ctx = self._installed.context
        ctx.store.write(lambda tx: tx.queue.release_leases())
        ctx.store.on_commit(self.workers.wake)
        self._server = self._installed.server(notify.passed_sockets())
        self._server.start()
        self._control.start()
        sweep(ctx, ctx.clock.now())
        self.workers.start()
        self._plan_beats()
        notify.notify("READY=1", f"STATUS=serving {self._installed.config.daemon.listen}")
        log.info("ready", extra={"action": "started", "listen": self._installed.config.daemon.listen})

    def _plan_beats(self) -> None:
        """`schedule` only enqueues; a job that fails must not take the others with it."""
        self._beats.clear()
        every = self._installed.context.policy.poll_every / timedelta(seconds=1)
        self._beats.every(max(1, round(every))).seconds.do(self._guarded, self._sweep)
        self._beats.every(int(SWEEP / timedelta(seconds=1))).seconds.do(self._guarded, self._sweep)

    def _sweep(self) -> None:
        ctx = self._installed.context
        sweep(ctx, ctx.clock.now())

    def _guarded(self, job: Callable[[], None]) -> None:
        try:
            job()
        except SyncdError as error:
            log.error("a beat failed", extra={"action": "beat_failed", "error": str(error)})

    def _loop(self) -> None:
        watchdog = notify.watchdog_seconds()
        while not self._stop.wait(0.5):
            self._beats.run_pending()
            if self._reload.is_set():
                self._reload.clear()
                self._reload_now()
            if self.workers.broken is not None:
                log.error("another process took the store", extra={"action": "store_lost"})
                return
            if watchdog is not None:
                self._feed(watchdog)

    def _feed(self, watchdog: float) -> None:
        """Feed the watchdog only while some worker gets somewhere and the web server lives (F49)."""
        now = self._installed.context.clock.monotonic()
        if now - self._fed < watchdog / 4:
            return
        self.workers.wake()
        alive = self._server is not None and self._server.alive()
        if self.workers.beat != self._seen and alive:
            self._seen, self._fed = self.workers.beat, now
            notify.notify("WATCHDOG=1")

    def _reload_now(self) -> None:
        notify.notify("RELOADING=1")
        try:
            self._installed.reload()
        except ConfigError as error:
            for problem in error.problems:
                log.error(problem, extra={"action": "reload_refused"})
        else:
            self._plan_beats()
            self._sweep()
            log.info("reloaded", extra={"action": "reloaded"})
        notify.notify("READY=1")

    def _halt(self) -> None:
        notify.notify("STOPPING=1")
        log.info("stopping", extra={"action": "stopping"})
        if self._server is not None:
            self._server.stop()
        self._control.stop()
        self.workers.stop(STOP_WITHIN)
        self._installed.close()

    def stop(self) -> None:
        self._stop.set()

    def reload(self) -> None:
        self._reload.set()


def run(config_file: Path) -> int:
    """Run the daemon on a configuration file: what `syncd run` does."""
    installation = install(config_file)
    daemon = Daemon(installation)
    signal.signal(signal.SIGTERM, lambda *_: daemon.stop())
    signal.signal(signal.SIGINT, lambda *_: daemon.stop())
    signal.signal(signal.SIGHUP, lambda *_: daemon.reload())
    return daemon.run()
