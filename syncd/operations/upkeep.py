"""What an operator looks after: deliveries, dead letters, tasks, suspicions, subscriptions, passwords, feeds, the end
of a recovery."""

import base64
from collections.abc import Sequence
from dataclasses import replace

from syncd.control import Answer
from syncd.core.ids import AccountId, CalendarId
from syncd.core.visit import Refused
from syncd.errors import ConnectorError
from syncd.flows.remind import SILENT_UNTIL
from syncd.flows.sign_in import set_password
from syncd.flows.tasks import STATES, agent_of, list_tasks, tick
from syncd.operations.desk import Desk, Json, Misused, agent_named, unknown, utc
from syncd.ports import Push, Subscription
from syncd.runner import sweep, try_logins_again
from syncd.store import Tx
from syncd.store.queue import DeliveryState, Notice, StoredDelivery, WorkKind

SYNCD = AccountId("syncd")
MOST = 1_000
BODY_SHOWN = 4_000  # characters
UNSENT = ("scheduled", "sending")

# --- deliveries -----------------------------------------------------------------------------------------------------


def deliveries(desk: Desk, *, state: str | None = None, limit: int = 100) -> Answer:
    """List stored webhooks, the newest first."""
    if state is not None and state not in set(DeliveryState):
        raise unknown("state", state, [one.value for one in DeliveryState])
    with desk.context.store.read() as tx:
        found = tx.queue.inbox_list(DeliveryState(state) if state else None, min(limit, MOST))
    return Answer(body=[_delivery(one) for one in found])


def delivery(desk: Desk, *, delivery: str) -> Answer:
    """Show one stored webhook with its body; what its sender signed with is left out."""
    with desk.context.store.read() as tx:
        found = _find_delivery(tx, delivery)
    text = found.body.decode(errors="replace")[:BODY_SHOWN]
    headers = [[name, "(hidden)" if _is_secret(name) else value] for name, value in found.headers]
    return Answer(body=_delivery(found) | {"headers": headers, "body": text})


def _is_secret(header: str) -> bool:
    return any(word in header.casefold() for word in ("signature", "authorization", "token", "cookie", "secret"))


def _delivery(one: StoredDelivery) -> Json:
    return {
        "id": one.id,
        "account": one.account,
        "key": one.key,
        "received_at": utc(one.received_at),
        "state": one.state.value,
        "error": one.error,
        "repeats": one.repeats,
        "touches": [list(touch) for touch in one.touches],
    }


def _find_delivery(tx: Tx, name: str) -> StoredDelivery:
    found = tx.queue.inbox_get(name)
    if found is None:
        raise Misused(f"no delivery has the id {name!r}; see `syncd deliveries list`")
    return found


def replayed(desk: Desk, *, deliveries: Sequence[str]) -> Answer:
    """Have stored deliveries looked at again: each names objects, and those are read anew at their source."""
    with desk.context.store.read() as tx:
        found = [_find_delivery(tx, name) for name in deliveries]
    idle = [one.id for one in found if not one.touches]

    def touch(tx: Tx) -> None:
        for one in found:
            if one.touches:
                tx.queue.inbox_state(one.id, DeliveryState.NEW)
            for kind, key in one.touches:
                tx.queue.touch(WorkKind(kind), key, desk.now, group=one.account)

    desk.context.store.write(touch)
    touched = [{"delivery": one.id, "touched": [list(touch) for touch in one.touches]} for one in found]
    if idle:
        return Answer(code=1, body={"replayed": touched, "error": f"names nothing to look at: {', '.join(idle)}"})
    return Answer(body={"replayed": touched})


# --- tasks ----------------------------------------------------------------------------------------------------------


def tasks(desk: Desk, *, agent: str | None = None, state: str = "open") -> Answer:
    """List what people have been asked to do; `state` is open, done or all."""
    if state not in STATES:
        raise unknown("state", state, STATES)
    wanted = agent_named(desk.directory, agent).id if agent else None
    return Answer(body=[_task(one) for one in list_tasks(desk.context, agent=wanted, state=state)])


def _task(one: Notice) -> Json:
    return {
        "id": one.key,
        "kind": one.kind,
        "visit": one.about,
        "agent": agent_of(one),
        "due_at": utc(one.due_at),
        "state": one.state,
        "created_at": utc(one.created_at),
    }


def task_done(desk: Desk, *, task: str) -> Answer:
    """Tick off a task; one that is done already stays so."""
    if tick(desk.context, task) is None:
        raise Misused(f"no task has the id {task!r}; see `syncd tasks list`")
    return Answer(body={"id": task, "state": "done"})


# --- suspicions and recovery ----------------------------------------------------------------------------------------


def released(desk: Desk, *, source: str) -> Answer:
    """Lift the suspicion of one calendar, or of all of an account: the next reading counts, however much is gone."""
    calendars = {ref.id for ref in desk.directory.calendars() if source in (ref.id, ref.account)}
    if not calendars:
        known = {str(name) for ref in desk.directory.calendars() for name in (ref.id, ref.account)}
        raise unknown("account or calendar", source, known)
    lifted = desk.context.store.write(lambda tx: _release(desk, tx, calendars))
    if not lifted:
        return Answer(body={"released": [], "note": f"nothing of {source} is under suspicion"})
    return Answer(body={"released": lifted})


def _release(desk: Desk, tx: Tx, calendars: set[CalendarId]) -> list[str]:
    held = sorted(one for one in calendars if tx.calendars.state(one).suspect_since is not None)
    for calendar in held:
        tx.accounts.put(SYNCD, f"released:{calendar}", f"{desk.now.isoformat()} {desk.actor}")
        tx.queue.touch(WorkKind.PULL, calendar, desk.now, group=desk.context.account_of(calendar))
    return [str(one) for one in held]


def recovered(desk: Desk) -> Answer:
    """End the mode after a restore: from now on calendars are written again. Messages of the gap are never sent."""
    store = desk.context.store
    if not store.restored:
        return Answer(code=1, body={"error": "the store is not in recovery: nothing to finish"})
    suppressed = store.write(lambda tx: _suppress(desk, tx))
    store.end_recovery()
    sweep(desk.context, desk.now)
    return Answer(body={"recovery": False, "suppressed_messages": suppressed})


def _suppress(desk: Desk, tx: Tx) -> int:
    """Nobody is told again what the store that was lost told, or may have told, before this moment."""
    waiting = [one for state in UNSENT for one in tx.queue.notices(channel="message", state=state, limit=1_000_000)]
    for one in waiting:
        tx.outbox.save(replace(one, state="skipped", reason="restored"))
    tx.accounts.put(SYNCD, SILENT_UNTIL, desk.now.isoformat())
    return len(waiting)


# --- push subscriptions ---------------------------------------------------------------------------------------------


def webhooks(desk: Desk) -> Answer:
    """Ask every account that can push what subscriptions of ours it keeps."""
    rows: list[Json] = []
    for account, push in _pushing(desk).items():
        try:
            rows += [_subscription(account, one) for one in push.subscriptions()]
        except ConnectorError as error:
            rows.append({"account": account, "error": str(error)})
    return Answer(code=1 if any("error" in row for row in rows) else 0, body=rows)


def _pushing(desk: Desk, account: str | None = None) -> dict[AccountId, Push]:
    able = {one: parts.push for one, parts in desk.context.accounts.items() if parts.push is not None}
    if account is not None and account not in able:
        raise unknown("account with webhooks", account, able)
    return {one: make() for one, make in able.items() if account in (None, one)}


def _subscription(account: AccountId, one: Subscription) -> Json:
    return {
        "account": account,
        "id": one.id,
        "callback": one.callback,
        "active": one.active,
        "expires_at": utc(one.expires_at),
        "note": one.note,
    }


def webhooks_ensured(desk: Desk, *, account: str | None = None) -> Answer:
    """Have subscriptions made where none lives; the same work the daemon does by itself."""
    from syncd.flows.subscribe import renew

    if not desk.context.public_url:
        raise Misused("daemon.public_url is not set: providers could not call")
    rows: list[Json] = []
    for one in _pushing(desk, account):
        try:
            renew(desk.context, one, desk.now)
        except ConnectorError as error:
            rows.append({"account": one, "error": str(error)})
            continue
        with desk.context.store.read() as tx:
            rows.append({"account": one, "push": tx.accounts.get(one, "push")})
    return Answer(code=1 if any("error" in row for row in rows) else 0, body=rows)


def webhooks_removed(desk: Desk, *, account: str) -> Answer:
    """Take our subscriptions at one account away; polling carries on."""
    removed: list[Json] = []
    push = _pushing(desk, account)[AccountId(account)]
    try:
        for one in push.subscriptions():
            push.unsubscribe(one)
            removed.append(_subscription(AccountId(account), one))
    except ConnectorError as error:
        return Answer(code=1, body={"error": f"{account}: {error}", "removed": removed})
    desk.context.store.write(lambda tx: tx.accounts.put(AccountId(account), "push", "removed by an operator"))
    return Answer(body={"removed": removed})


# --- agents ---------------------------------------------------------------------------------------------------------


def password_set(desk: Desk, *, agent: str, password: str) -> Answer:
    """Keep an agent's password at the embedded CalDAV server."""
    found = agent_named(desk.directory, agent)
    refused = set_password(desk.context, found.id, password)
    if isinstance(refused, Refused):
        return Answer(code=1, body={"error": refused.detail})
    return Answer(body={"agent": found.id, "user": found.id, "url": f"{desk.context.public_url}/dav/"})


def signed_in(desk: Desk, *, account: str, token: str) -> Answer:
    """Keep an account's sign-in, sealed, and try at once what waited for it (F19)."""
    parts = desk.context.accounts.get(AccountId(account))
    if parts is None or not parts.signs_in or desk.context.tokens is None:
        raise unknown(
            "account with a sign-in", account, [one for one, it in desk.context.accounts.items() if it.signs_in]
        )
    desk.context.tokens(AccountId(account)).save(base64.b64decode(token, validate=True))
    try_logins_again(desk.context)
    sweep(desk.context, desk.now)
    return Answer(body={"account": account})


def feed(desk: Desk, *, agent: str) -> Answer:
    """Return the address of an agent's own visits as a feed. Who has it can read them."""
    from syncd.web.feeds import feed_url

    found = agent_named(desk.directory, agent)
    return Answer(body={"agent": found.id, "url": feed_url(desk.context, desk.link_key(), found.id)})
