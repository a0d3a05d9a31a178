"""What operators and their monitors ask: alive, ready, how much of everything. Only callers nearby learn the names."""

import ipaddress
from collections.abc import Callable, Iterator
from datetime import datetime

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from syncd.core.directory import CalendarRole
from syncd.core.ids import AccountId
from syncd.flows.context import Context
from syncd.store import Tx
from syncd.store.calendars import CalendarState
from syncd.web.counts import Counts

FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")


def why_stale(ctx: Context, state: CalendarState, now: datetime) -> str | None:
    """Say why a calendar's busy time is not known well enough, None where it is."""
    if state.suspect_since is not None:
        return f"suspect: {state.suspect_why}"
    if state.attention:
        return state.attention
    if state.read_at is None:
        return f"never read{': ' + state.error if state.error else ''}"
    age = now - state.read_at
    if age > ctx.policy.max_staleness:
        return f"last read {int(age.total_seconds())} s ago{': ' + state.error if state.error else ''}"
    return None


def unready(ctx: Context, tx: Tx, now: datetime) -> list[dict[str, str]]:
    """List every source that is stale or whose login is refused, each with the reason."""
    found = []
    sources = {ref.id: ref for ref in ctx.directory.calendars() if ref.role is not CalendarRole.MIRROR}
    for calendar, ref in sources.items():
        why = why_stale(ctx, tx.calendars.state(calendar), now)
        if why is not None:
            found.append({"account": ref.account, "calendar": calendar, "agent": ref.agent, "why": why})
    found += [
        {"account": one.account, "why": f"login refused: {one.parked}"} for one in tx.accounts.states() if one.parked
    ]
    return found


class Operations:
    """The routes /healthz, /readyz and /metrics."""

    def __init__(self, ctx: Callable[[], Context], counts: Counts) -> None:
        self._ctx = ctx
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(Gauges(ctx, counts))

    async def healthz(self, _request: Request) -> Response:
        """Answer as long as the event loop turns."""
        return JSONResponse({"status": "ok"})

    async def readyz(self, request: Request) -> Response:
        """Answer 200 when every source is fresh, else 503 and which is not."""
        return await run_in_threadpool(self._ready, request)

    def _ready(self, request: Request) -> Response:
        ctx = self._ctx()
        with ctx.store.read() as tx:
            found = unready(ctx, tx, ctx.clock.now())
        status = "stale" if found else "ready"
        body: dict[str, object] = {"status": status, "stale": len(found)}
        if is_near(request):
            body["sources"] = found
        return JSONResponse(body, status_code=503 if found else 200)

    async def metrics(self, _request: Request) -> Response:
        text = await run_in_threadpool(generate_latest, self._registry)
        return Response(text, media_type="text/plain; version=0.0.4")


def is_near(request: Request) -> bool:
    """Tell whether the caller sits on this machine and no proxy stands between: calendar names may be addresses."""
    if request.client is None:
        return True  # a UNIX socket
    if any(name in request.headers for name in FORWARDED):
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False


class Gauges(Collector):
    """Reads the store when it is asked; labels are accounts, kinds and states, never people or calendars."""

    def __init__(self, ctx: Callable[[], Context], counts: Counts) -> None:
        self._ctx = ctx
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        ctx = self._ctx()
        now = ctx.clock.now()
        with ctx.store.read() as tx:
            yield from _queues(tx, now)
            yield from _accounts(tx)
            yield from _calendars(ctx, tx, now)
        calls = CounterMetricFamily("syncd_hook_calls", "Webhook calls since the start", labels=["account", "outcome"])
        for (account, outcome), count in sorted(self._counts.hooks().items()):
            calls.add_metric([account, outcome], count)
        yield calls


def _queues(tx: Tx, now: datetime) -> Iterator[Metric]:
    depth = GaugeMetricFamily("syncd_work_due", "Pieces of work that are due", labels=["kind"])
    age = GaugeMetricFamily("syncd_work_oldest_seconds", "Age of the oldest piece of work that is due", labels=["kind"])
    for kind, (count, oldest) in tx.queue.depths(now).items():
        depth.add_metric([kind.value], count)
        age.add_metric([kind.value], oldest.total_seconds())
    yield depth
    yield age
    yield GaugeMetricFamily("syncd_work_dead", "Pieces of work that were given up", value=len(tx.queue.dead()))
    deliveries = GaugeMetricFamily("syncd_deliveries", "Webhook deliveries that are kept", labels=["state"])
    for state, count in tx.queue.inbox_counts().items():
        deliveries.add_metric([state.value], count)
    yield deliveries


def _accounts(tx: Tx) -> Iterator[Metric]:
    failures = GaugeMetricFamily("syncd_account_failures", "Failures in a row", labels=["account"])
    parked = GaugeMetricFamily("syncd_account_login_refused", "1 while the login is refused", labels=["account"])
    for state in tx.accounts.states():
        failures.add_metric([state.account], state.failures)
        parked.add_metric([state.account], bool(state.parked))
    yield failures
    yield parked


def _calendars(ctx: Context, tx: Tx, now: datetime) -> Iterator[Metric]:
    lag = GaugeMetricFamily("syncd_sync_lag_seconds", "Age of the last good reading, the oldest", labels=["account"])
    stale = GaugeMetricFamily("syncd_calendars_stale", "Calendars whose busy time is not known", labels=["account"])
    oldest: dict[AccountId, float] = {}
    unknown: dict[AccountId, int] = {}
    for calendar, account in {ref.id: ref.account for ref in ctx.directory.calendars()}.items():
        state = tx.calendars.state(calendar)
        if state.read_at is not None:
            oldest[account] = max(oldest.get(account, 0.0), (now - state.read_at).total_seconds())
        unknown[account] = unknown.get(account, 0) + (why_stale(ctx, state, now) is not None)
    for account, seconds in oldest.items():
        lag.add_metric([account], seconds)
    for account, count in unknown.items():
        stale.add_metric([account], count)
    yield lag
    yield stale
