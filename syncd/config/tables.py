"""The tables a configuration has once: which keys there are, of which kind, and what stands where none is written.

The text under each key is what editors show. What a key means for other tables is checked in references.py.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from syncd.config.values import (
    Duration,
    Length,
    Line,
    Listen,
    Locale,
    Network,
    QuietHours,
    Text,
    Url,
    Zone,
    read_duration,
)

Blocks = Literal["busy", "free"]


class Table(BaseModel):
    """Strict: an unknown key or another type is a problem, never a guess."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, use_attribute_docstrings=True, defer_build=True)


class DaemonTable(Table):
    """The process itself: where it listens, where it keeps things, how it speaks."""

    public_url: Url = "http://127.0.0.1:8420"
    """What clients and providers reach; https where a proxy in front speaks it."""
    listen: Listen = "127.0.0.1:8420"
    """Address and port to serve on, unless systemd passes a socket."""
    state_dir: Line = "state"
    """Folder of the store and the daemon's secret, relative to this file; $STATE_DIRECTORY wins under systemd."""
    time_zone: Zone = "America/Santiago"
    """Zone of everything that names none."""
    locale: Locale = "es_CL"
    """Language of pages, messages and calendar entries: es, it, en or de, with a country."""
    quiet_hours: QuietHours | None = None
    """No message reaches a client in these hours."""
    secret: SecretStr | None = None
    """At least 32 random characters that links and request ids are signed with; made once in state_dir where absent."""
    ca_file: Line | None = None
    """Certificates to trust instead of the system's, relative to this file; else SSL_CERT_FILE, REQUESTS_CA_BUNDLE."""
    proxy: Url | None = None
    """HTTP proxy for every outgoing call; else HTTPS_PROXY."""
    trusted_proxies: list[Network] = []
    """Addresses of the proxies whose X-Forwarded-For is believed."""
    link_expires: Length = read_duration("30d")
    """How long a link to a client works."""


class StoreTable(Table):
    """Where visits are kept."""

    url: Line = "sqlite:syncd.db"
    """sqlite:NAME, relative to state_dir."""


class MassChangeTable(Table):
    """The brake on deletions: more than max(count, ratio x known future entries) is suspect."""

    count: Annotated[int, Field(ge=0, le=100_000)] = 2
    """Deletions in one reading, or within ten minutes, that are always believed."""
    ratio: Annotated[float, Field(ge=0, le=1, strict=False)] = 0.2
    """Share of the known future entries that may go at once."""


class SyncTable(Table):
    """How calendars and schedulers are followed."""

    poll_every: Length = read_duration("5m")
    """How often each account is asked for changes."""
    full_reconcile_every: Length = read_duration("12h")
    """How often each calendar is read completely."""
    look_ahead: Length = read_duration("120d")
    """How far into the future calendars are read."""
    pairing_wait: Duration = read_duration("5m")
    """A lone cancellation that says "rescheduled" waits so long for its twin."""
    release: Literal["ask", "auto"] = "ask"
    """How a suspect calendar is released: by a person, or after a second look."""
    max_staleness: Length = read_duration("30m")
    """A host whose busy time is older takes no bookings; the others do."""
    mass_change: MassChangeTable = MassChangeTable()
    """How many deletions at once are believed."""
    on_agent_move: Literal["move", "restore"] = "move"
    """The agent drags a visit in the own calendar: the visit moves, or the entry goes back."""
    on_agent_delete: Literal["ask", "cancel", "restore"] = "ask"
    """The agent deletes a visit's entry: staff is asked, the visit is cancelled, or the entry comes back."""
    on_conflict: list[Literal["reassign", "flag"]] = ["reassign", "flag"]
    """What happens when a personal event lands on a visit, in this order."""


class EmbeddedTable(Table):
    """A CalDAV server inside the daemon, as the account "embedded": for agents who have none."""

    enabled: bool = False
    """Calendar "ana/visits" lives at <public_url>/dav/ana/visits/; the user is the agent's id."""


class BusyPolicyTable(Table):
    """Whether a stranger's entry takes the agent's time, by what the calendar says about it."""

    tentative: Blocks = "busy"
    """Marked as tentative."""
    unanswered: Blocks = "busy"
    """An invitation the agent has not answered."""
    declined: Blocks = "free"
    """An invitation the agent has declined."""
    working_elsewhere: Blocks = "free"
    """Outlook's "working elsewhere"."""
    out_of_office: Blocks = "busy"
    """Marked as out of office."""
    free: Blocks = "free"
    """Marked as free."""
    private: Blocks = "busy"
    """Private entries."""
    organised: Blocks = "busy"
    """Meetings the agent organises without attending."""


class TravelTable(Table):
    """Time between projects."""

    minutes: dict[str, dict[str, Annotated[int, Field(ge=0, le=1440)]]] = {}
    """Project -> project -> minutes; both ways unless the other way is written as well."""


class ApiTable(Table):
    """Who may call the HTTP API."""

    tokens: dict[str, SecretStr] = {}
    """Name of the caller -> its bearer token; the name appears in the history of visits."""


class AlertsTable(Table):
    """Where alerts go, beside `syncdctl status`."""

    urls: list[SecretStr] = []
    """Secrets: URLs of services as apprise writes them; each alert, and its end, goes to all of them."""


class ProposalTextsTable(Table):
    """What the client reads above the form."""

    general: Text = ""
    """Where no property is named."""
    visit: Text = ""
    """Where a property is to be visited."""


class ProposalsTable(Table):
    """Asking clients for times that suit them."""

    answer_by: list[Literal["mail", "task", "sms"]] = ["mail"]
    """How the answer comes in."""
    texts: ProposalTextsTable = ProposalTextsTable()
    """The words above the form."""
    expires: Length | None = None
    """How long the form is open; else [daemon] link_expires."""
