"""What syncd asks of an outside system; a connector is a module with a SPEC that plays some of these parts."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from syncd.clock import Clock
from syncd.core.busy import RemoteEvent
from syncd.core.ids import AccountId
from syncd.core.interval import Interval
from syncd.core.letter import Channel, Letter, Report
from syncd.core.publish import EventDraft, EventKey, Published
from syncd.core.visit import Answer, Contact


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One entry of a calendar with all its instances inside the window (none: it takes no time there).

    `problem` says why an entry could not be understood: the calendar then needs attention and its
    agent is closed, while everything else in the page still counts.
    """

    remote_id: str
    uid: str
    etag: str
    events: tuple[RemoteEvent, ...] = ()
    recurring: bool = False
    problem: str | None = None
    notes: tuple[str, ...] = ()  # for ChangePage.notes: an unknown zone or word, read by policy


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePage:
    """A part of a reading. Absence means deletion only when `complete` and only after the last page."""

    changed: tuple[Resource, ...] = ()
    removed: tuple[str, ...] = ()  # remote ids
    unchanged: tuple[str, ...] = ()  # in a complete listing: still there with the etag we know
    cursor: str | None = None  # on the last page: where to go on next time
    mark: str | None = None  # on the last page: what Home.marks says of this very state, where the connector knows
    complete: bool = False
    notes: tuple[str, ...] = ()  # for `status`: unknown zones, unknown words


class Calendar(Protocol):
    """One calendar of one account."""

    def changes(
        self, cursor: str | None, window: Interval, known: Mapping[str, str] | None = None
    ) -> Iterator[ChangePage]:
        """Yield what changed since `cursor`; None lists everything (`complete`).

        `known` (remote id -> etag) lets a complete listing skip the bodies of unchanged entries. Raises
        CursorExpired for a dead cursor, Unreadable for anything that is not a true answer.
        """
        ...

    def find(self, key: EventKey, uid: str) -> Published | None:
        """Look for our entry of this subject: after an ambiguous failure, or to adopt it."""
        ...

    def put(self, draft: EventDraft, known: Published | None) -> Published:
        """Create or update; raises VersionConflict when the entry is newer than `known`, Ambiguous when unsure."""
        ...

    def delete(self, known: Published) -> None:
        """Delete; an entry already absent is a success. Raises VersionConflict when it is newer than `known`."""
        ...


class Home(Protocol):
    """All calendars of one account, asked at once: the cheapest question that tells which changed."""

    def marks(self) -> Mapping[str, str]:
        """Return calendar name (as configured) -> opaque mark; a calendar without a mark must be pulled."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteBooking:
    """A scheduler's record as it is now, in our words.

    With `problem` it could not be understood in a listing: only `id` and `event_type` count; reading it by id says why.
    """

    id: str
    active: bool
    event_type: str  # the scheduler's own id
    interval: Interval
    time_zone: str | None = None
    host_id: str | None = None
    host_email: str | None = None
    co_hosts: tuple[str, ...] = ()  # ids of further hosts (collective event types)
    contact: Contact
    guests: tuple[str, ...] = ()  # e-mail addresses of extra attendees
    answers: tuple[Answer, ...] = ()
    request_token: str | None = None  # our signed request id, as it came back
    replaces: str | None = None  # the booking this one takes the place of
    replaced_by: str | None = None
    rescheduled: bool = False  # cancelled because it was moved
    pending: bool = False
    cancelled_by: str | None = None  # "client" | "agent" | None
    cancel_message: str = ""
    event_id: str | None = None
    calendar_entry: str | None = None
    location: str = ""
    created_at: datetime | None = None
    updated_at: datetime | None = None
    manage_url: str | None = None
    guard: Interval | None = None  # with the scheduler's own buffers, where it tells them
    no_show: bool = False
    agent: str | None = None  # of ours, where the account's own table says who the host is
    problem: str | None = None


class Scheduler(Protocol):
    """An outside booking service."""

    def bookings(
        self, window: Interval, since: datetime | None = None, event_types: Collection[str] | None = None
    ) -> Iterator[RemoteBooking]:
        """Yield every booking, active or cancelled, that starts in the window and may have changed since.

        `event_types` (the scheduler's own ids) leaves other people's out before anything of them is read.
        """
        ...

    def booking(self, booking_id: str) -> RemoteBooking:
        """Read one booking again; raises NotFound."""
        ...

    def cancel(self, booking_id: str, reason: str) -> None:
        """Cancel at the scheduler; one already cancelled is a success."""
        ...

    def link(self, event_type: str, request_token: str, contact: Contact | None = None) -> str:
        """Return the address where the client books, carrying our signed request id."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A push subscription as it stands at the provider."""

    id: str
    callback: str
    active: bool = True
    expires_at: datetime | None = None
    note: str = ""
    memo: str = ""  # what the connector needs to renew or stop it; opaque to everybody else


class Push(Protocol):
    """A provider that calls us about everything of one account."""

    def subscriptions(self) -> Sequence[Subscription]:
        """List ours (those whose callback starts with our public address)."""
        ...

    def subscribe(self, callback: str) -> Subscription: ...

    def unsubscribe(self, subscription: Subscription) -> None: ...


class Watch(Protocol):
    """A provider that calls us about one calendar. What it needs to renew or stop is in Subscription.memo."""

    def start(self, callback: str) -> Subscription:
        """Make a new subscription; the listener must be up, some providers call back while this call is open."""
        ...

    def renew(self, subscription: Subscription) -> Subscription | None:
        """Prolong it; None where that cannot be done and a new one must be started before the old one ends."""
        ...

    def stop(self, subscription: Subscription) -> None:
        """End it; one already gone is a success."""
        ...

    def strays(self, known: Collection[str]) -> Sequence[Subscription]:
        """List subscriptions of ours for this calendar whose ids we do not know, where the provider can tell."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One webhook call as it came in."""

    headers: Sequence[tuple[str, str]]
    body: bytes
    now: datetime
    query: str = ""  # as sent, not decoded
    url: str = ""  # the address that the provider was told, without query; never what a header says
    live: Callable[[str], str | None] = lambda _subscription: None  # id of a subscription we hold -> its calendar id
    secret: Callable[[str], bytes] = lambda _purpose: b""  # purpose -> a key derived from the daemon's secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Touch:
    """A name to look at again."""

    kind: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Somebody wrote from a number, over a channel, that they want no more messages there; or that they do again."""

    number: str
    channel: Channel
    wants_none: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What a verified webhook call amounts to: a key to recognise repeats, and names to look at.

    Without a key there is nothing worth keeping: only the names are touched (a provider's "something changed").
    `unreadable` says why a signed body means nothing to us: kept as a dead letter. `event_type` is the scheduler's
    own id where the body tells it: what none of our projects uses need not be kept.
    """

    key: str = ""
    touches: tuple[Touch, ...] = ()
    unreadable: str | None = None
    unwanted: bool = False  # understood, signed, and of no interest
    event_type: str | None = None
    echo: str | None = None  # a provider's handshake: answered with this text, nothing is kept
    wishes: tuple[Wish, ...] = ()  # noted with the call that brought them
    ignored: str | None = None  # why the call counts for nothing (an unknown channel): answered, counted, not kept


class Hook(Protocol):
    """Verify and read one webhook call; pure. Raises BadSignature."""

    def __call__(self, account: AccountId, settings: Any, call: Call) -> Delivery: ...


class FreeBusy(Protocol):
    """A last look at calendars just before a write."""

    def busy(self, names: Sequence[str], window: Interval) -> Mapping[str, Sequence[Interval] | None]:
        """Return the busy time of each calendar, None where it is unknown: unknown is never free."""
        ...


class Changes(Protocol):
    """A scheduler that lets its bookings be changed from outside. Doing what is done already is a success."""

    def confirm(self, booking_id: str) -> None: ...

    def decline(self, booking_id: str, reason: str) -> None: ...

    def move(self, booking_id: str, start: datetime, reason: str) -> str:
        """Give the booking another time; returns its id from now on."""
        ...

    def reassign(self, booking_id: str, host_id: str) -> None: ...

    def hold(self, event_type: str, interval: Interval) -> str | None:
        """Reserve a slot at the scheduler for some minutes; None where it is not free."""
        ...


class Messenger(Protocol):
    """A service that brings messages to people, over one channel."""

    @property
    def channel(self) -> Channel: ...

    def send(self, letter: Letter) -> str:
        """Hand a message over; returns the service's own id for it.

        Raises Transient (surely not sent, try again), Ambiguous (it may have been), Permanent (this person or text is
        refused for good), AuthFailed.
        """
        ...


class Reporter(Protocol):
    """Read what a verified, kept webhook call says of messages; pure. What it cannot read it leaves out."""

    def __call__(self, account: AccountId, settings: Any, call: Call) -> Sequence[Report]: ...


class Tokens(Protocol):
    """Where a connector keeps the sign-in of one account, sealed; it never sees the store."""

    def load(self) -> bytes | None: ...

    def save(self, token: bytes) -> None:
        """Keep the token durably; returns when it is safe to use a rotated one."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What a connector may know of the installation: never the store."""

    clock: Clock
    secret: Callable[[str], bytes]  # purpose -> a key derived from the daemon's secret
    generation: Callable[[], str] = lambda: ""
    ca_file: str | None = None
    proxy: str | None = None
    time_zone: str = "UTC"  # the installation's
    public_url: str = ""
    wsgi: Mapping[str, Any] = field(default_factory=dict)  # base URL -> WSGI application served in this very process
    tokens: Callable[[AccountId], Tokens] | None = None  # None: nothing can be kept (check-config without a store)
    counted: Callable[[str], None] | None = None  # told the account (else the host) of every request sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line of doctor or check-config --online."""

    what: str
    state: str  # ok | warn | fail
    text: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarUse:
    """Which calendar of an account, and whose: the zone reads floating times, the addresses tell own answers."""

    name: str  # as the configuration writes it
    time_zone: str
    emails: frozenset[str] = frozenset()
    subject: str = ""  # the agent's own address: as whom a service account comes


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorSpec:
    """The parts a connector plays; None = plays no such part. `settings_model` is a pydantic model."""

    kind: str
    settings_model: type[Any]
    check: Callable[[AccountId, Any, Environment, Sequence[str]], list[Check]]  # …, calendar names to resolve
    calendar: Callable[[AccountId, Any, Environment, CalendarUse], Calendar] | None = None
    home: Callable[[AccountId, Any, Environment, Sequence[str]], Home] | None = None  # …, calendar names
    scheduler: Callable[[AccountId, Any, Environment], Scheduler] | None = None
    push: Callable[[AccountId, Any, Environment], Push] | None = None
    hook: Hook | None = None
    handshake: Callable[[AccountId, Any, Call], str] | None = None  # answers a GET of the provider; raises BadSignature
    told: Callable[[AccountId, Any, Call], RemoteBooking | None] | None = None  # what a kept, verified call says itself
    hook_body: int = 256 * 2**10  # bytes of a call that are taken at most
    watch: Callable[[AccountId, Any, Environment, CalendarUse], Watch] | None = None
    free_busy: Callable[[AccountId, Any, Environment, CalendarUse], FreeBusy] | None = None
    changes: Callable[[AccountId, Any, Environment], Changes] | None = None
    messenger: Callable[[AccountId, Any, Environment], Messenger] | None = None
    reports: Reporter | None = None
    sender: Callable[[Any], str] | None = None  # settings -> the mail address that messages come from
    sign_in: Callable[[AccountId, Any, Environment, Callable[[str], None]], None] | None = None  # …, tells the person
