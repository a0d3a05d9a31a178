"""Pull, reconcile and publish until everything is quiet: by the daemon's workers, or by own ones."""

from dataclasses import dataclass
from datetime import timedelta

from syncd.control import Answer
from syncd.operations.desk import Desk, Json, utc
from syncd.operations.status import account_state, source_state
from syncd.runner import sweep, try_logins_again
from syncd.store.queue import Work
from syncd.workers import Workers

ROUND_SECONDS = 300.0  # for one round of everything
RETRIES = timedelta(seconds=20)  # how long what failed is waited for without --once


@dataclass(slots=True)
class _Bar:
    """Tells how much is left whenever that changes."""

    desk: Desk
    last: int = -1

    def __call__(self, left: int) -> None:
        if left != self.last:
            self.last = left
            self.desk.tell({"left": left})


def sync(desk: Desk, *, once: bool = False) -> Answer:
    """Touch every name and wait until nothing is due; without `once`, what failed and is due again soon as well."""
    started = desk.now
    try_logins_again(desk.context)
    sweep(desk.context, desk.now)
    workers = desk.workers or Workers(lambda: desk.context)
    if desk.workers is None:
        desk.context.store.write(lambda tx: tx.queue.release_leases())
        desk.context.store.on_commit(workers.wake)
        workers.start()
    try:
        quiet = workers.wait_quiet(ROUND_SECONDS, _Bar(desk), soon=timedelta(0) if once else RETRIES)
    finally:
        if desk.workers is None:
            workers.stop(10.0)
    troubles = _troubles(desk)
    body: Json = {"quiet": quiet, "seconds": round((desk.now - started).total_seconds(), 1), "troubles": troubles}
    if not quiet or troubles:
        body["error"] = _words(quiet, troubles)
    return Answer(code=0 if quiet and not troubles else 1, body=body)


def _words(quiet: bool, troubles: list[Json]) -> str:
    lines = [f"{one['what']}: {one['state']}{': ' + one['error'] if one['error'] else ''}" for one in troubles]
    return "\n".join(([] if quiet else ["something is still under way"]) + lines)


def _troubles(desk: Desk) -> list[Json]:
    """List every source and account that is not well, the dead letters, and what else failed and waits for its turn."""
    found: list[Json] = []
    with desk.context.store.read() as tx:
        for calendar in dict.fromkeys(ref.id for ref in desk.directory.calendars()):
            state = tx.calendars.state(calendar)
            word = source_state(state, desk.now, desk.context.policy.max_staleness)
            found.append(
                {"what": calendar, "state": word, "error": state.error or state.attention or state.suspect_why}
            )
        for account in desk.context.accounts:
            login = tx.accounts.state(account)
            word = account_state(login, desk.now)
            found.append({"what": account, "state": word, "error": login.parked or login.error})
        found = [one for one in found if one["state"] != "ok"]
        told = {str(one["what"]).split("/")[0] for one in found}  # an account that is not well explains its work
        found += [_stuck(work, "given up") for work in tx.queue.dead()]
        found += [_stuck(work, "failing") for work in tx.queue.failing() if work.group not in told]
    return [one | {"at": utc(desk.now)} for one in found]


def _stuck(work: Work, state: str) -> Json:
    return {"what": f"{work.kind.value} {work.key}", "state": state, "error": work.error}
