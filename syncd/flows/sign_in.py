"""Passwords of agents at the embedded CalDAV server: kept as scrypt hashes, checked once and then remembered."""

import hashlib
import hmac
import threading
from collections.abc import Callable

from syncd.core.ids import AccountId, AgentId
from syncd.core.limits import PASSWORD
from syncd.core.visit import Refused
from syncd.flows.context import Context

EMBEDDED = AccountId("embedded")
SHORTEST = 8
COST, BLOCK, PARALLEL = 2**14, 8, 1  # 16 MiB and some 50 ms each (RFC 7914, interactive logins)


def set_password(ctx: Context, agent: AgentId, password: str) -> Refused | None:
    """Keep an agent's new password; the old one opens nothing from now on."""
    if agent not in ctx.directory.agents:
        return Refused(reason="not-found", detail=f"no agent has the id {agent!r}")
    if not SHORTEST <= len(password) <= PASSWORD:
        return Refused(reason="invalid", detail=f"a password has {SHORTEST} to {PASSWORD} characters")
    salt = ctx.clock.new_id()
    record = f"scrypt${salt}${_digest(password, salt)}"
    ctx.store.write(lambda tx: tx.accounts.put(EMBEDDED, f"password:{agent}", record))
    return None


def _digest(password: str, salt: str) -> str:
    return hashlib.scrypt(password.encode(), salt=salt.encode(), n=COST, r=BLOCK, p=PARALLEL, dklen=32).hex()


class Passwords:
    """Checks passwords; a right one is remembered in memory, so that not every request costs a scrypt."""

    def __init__(self, ctx: Callable[[], Context]) -> None:
        self._ctx = ctx
        self._key = ctx().clock.new_id().encode()
        self._known: dict[str, tuple[str, bytes]] = {}
        self._lock = threading.Lock()

    def fits(self, agent: str, password: str) -> bool:
        """Tell whether the password is the agent's; equally slow for agents that do not exist."""
        if len(password) > PASSWORD:
            return False
        record = self._record(agent)
        if self._is_remembered(agent, password, record):
            return True
        salt, digest = record.split("$")[1:] if record else ("none", "")
        right = hmac.compare_digest(_digest(password, salt), digest)
        if right:
            with self._lock:
                self._known[agent] = (record, self._mark(password))
        return right

    def is_remembered(self, agent: str, password: str) -> bool:
        """Tell whether this very password was found right before and has not been changed since."""
        return len(password) <= PASSWORD and self._is_remembered(agent, password, self._record(agent))

    def _record(self, agent: str) -> str:
        ctx = self._ctx()
        if agent not in ctx.directory.agents:
            return ""
        with ctx.store.read() as tx:
            return tx.accounts.get(EMBEDDED, f"password:{agent}") or ""

    def _is_remembered(self, agent: str, password: str, record: str) -> bool:
        with self._lock:
            known = self._known.get(agent)
        return known is not None and known[0] == record and hmac.compare_digest(known[1], self._mark(password))

    def _mark(self, password: str) -> bytes:
        return hmac.new(self._key, password.encode(), hashlib.sha256).digest()
