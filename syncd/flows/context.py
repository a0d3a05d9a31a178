"""What every flow is handed: the store, who and what, the outside systems by name, and the clock."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from syncd.clock import Clock
from syncd.core import limits
from syncd.core.directory import CalendarRef, Directory, SyncPolicy
from syncd.core.ids import AccountId, CalendarId
from syncd.core.letter import Channel, Letter, Report
from syncd.core.visit import Visit
from syncd.flows.kept import KeptStarts
from syncd.flows.staff import KnownStaff
from syncd.ports import (
    Calendar,
    Call,
    Changes,
    Delivery,
    FreeBusy,
    Home,
    Messenger,
    Push,
    RemoteBooking,
    Scheduler,
    Tokens,
    Watch,
)
from syncd.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountParts:
    """The parts one account plays; None where it does not. `names` are the calendars it serves."""

    id: AccountId
    kind: str
    provider: str = ""  # whose servers answer, where the kind does not say it: one that hangs may hold up only itself
    home: Callable[[], Home] | None = None
    scheduler: Callable[[], Scheduler] | None = None
    push: Callable[[], Push] | None = None
    hook: Callable[[Call], Delivery] | None = None  # raises BadSignature
    handshake: Callable[[Call], str] | None = None  # raises BadSignature
    hook_body: int = limits.HOOK_BODY
    told: Callable[[Call], RemoteBooking | None] | None = None
    watch: Callable[[CalendarRef], Watch] | None = None
    free_busy: Callable[[CalendarRef], FreeBusy] | None = None
    changes: Callable[[], Changes] | None = None
    messenger: Callable[[], Messenger] | None = None
    reports: Callable[[Call], Sequence[Report]] | None = None
    sender: str = ""  # the mail address that messages of this account come from
    signs_in: bool = False  # somebody signs in with `syncd auth`


def no_words(*_asked: Any) -> Letter:
    raise NotImplementedError("this installation has no words for messages")


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Everything impure comes in through here, so that a simulation can hand in its own."""

    store: Store
    directory: Directory
    clock: Clock
    calendar_of: Callable[[CalendarRef], Calendar]
    accounts: dict[AccountId, AccountParts] = field(default_factory=dict)
    generation: str = ""
    public_url: str = ""
    request_token: Callable[[str], str] = lambda request: request  # signed: "<id>.<hmac8>"
    read_request_token: Callable[[str], str | None] = lambda token: token  # None: not ours
    link_key: Callable[[], bytes] = lambda: b"no key"  # what links to people are made with
    tokens: Callable[[AccountId], Tokens] | None = None  # where sign-ins are kept, sealed
    crashpoint: Callable[[str], None] = lambda name: None
    # … visit, kind, channel, recipient ("client", "agent:<id>"), body: the words; address and key are the sender's
    compose: Callable[["Context", Visit | None, str, Channel, str, dict[str, Any] | None], Letter] = no_words
    kept: KeptStarts = field(default_factory=KeptStarts, init=False, compare=False)  # a new context has its own
    staff: KnownStaff = field(default_factory=KnownStaff, init=False, compare=False)

    @property
    def policy(self) -> SyncPolicy:
        return self.directory.policy

    @property
    def locale(self) -> str:
        return self.directory.locale

    def account_of(self, calendar: CalendarId) -> AccountId:
        """Return the account a configured calendar belongs to; "" for one no longer configured."""
        return next((ref.account for ref in self.directory.calendar(calendar)), AccountId(""))
