"""What doctor and check-config --online say of a Microsoft 365 account: each line with its remedy."""

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from connectors._outlook_event import text
from connectors._outlook_graph import UNKNOWN_MAILBOX, Graph, error_of, graph_of
from connectors._outlook_settings import OutlookSettings
from connectors._outlook_sign_in import SignInRefused
from syncd.core.ids import AccountId
from syncd.errors import AuthFailed, ConnectorError, Forbidden, NotFound, Permanent
from syncd.ports import Check, Environment

EXPIRED = (
    "make a new client secret (Certificates & secrets), put its Value, not its ID, into client_secret: they expire"
)
APP = "copy client_id and tenant from the app registration's Overview; in Enterprise applications it must be enabled"
TENANT = "correct tenant: the directory's id or its domain, as the app registration's Overview shows it"
AGAIN = "run: syncd auth {account}"
CONSENT = (
    "an administrator must grant the app's permissions: API permissions, Calendars.ReadWrite, Grant admin consent, "
    "or rather a role assignment of RBAC for Applications (docs/providers/outlook.md)"
)
SCOPE = "put this mailbox into the management scope of the app's role assignment; it takes up to two hours to count"
ADDRESS = "correct the address: the user principal name or a mailbox's primary address"
LICENCE = "give this user a licence with Exchange Online; the mailbox must be in the cloud"
RBAC = (
    "limit it: assign the role Application Calendars.ReadWrite with a scope (RBAC for Applications) and remove the "
    "tenant-wide consent; the two add up"
)
WORDS: Mapping[str, str] = {
    "invalid_client": EXPIRED,
    "unauthorized_client": APP,
    "invalid_tenant": TENANT,
    "invalid_scope": "correct api_url: tokens are asked for the Graph of the cloud it names",
    "consent_required": CONSENT,
}
ZONE = "allow MailboxSettings.Read (as a role: Application MailboxSettings.Read); else days follow the agent's hours"


def check(account: AccountId, settings: OutlookSettings, env: Environment, names: Sequence[str]) -> list[Check]:
    """Sign in, look at each mailbox, resolve every calendar that the configuration names."""
    graph = graph_of(account, settings, env)
    lines = _login(graph)
    if lines[0].state == "fail":
        return lines
    for name in names:
        lines += _calendar(graph, name)
    return [*lines, *_push(graph)]


def _login(graph: Graph) -> list[Check]:
    try:
        rights = graph.login.rights()
    except SignInRefused as error:
        remedy = WORDS.get(error.word, EXPIRED if graph.settings.secret is not None else AGAIN)
        return [_fail("login", error, remedy.format(account=graph.account))]
    except AuthFailed as error:
        return [_fail("login", error, AGAIN.format(account=graph.account))]
    except ConnectorError as error:
        return [_fail("login", error, f"nothing answers well at authority = {graph.settings.authority!r}; look there")]
    what = "as the app itself" if graph.settings.secret is not None else "as the person who signed in"
    lines = [Check(what="login", state="ok", text=f"{what}, tenant {graph.settings.tenant}")]
    if graph.settings.secret is not None and "Calendars.ReadWrite" in rights:
        far = "the app may read and write the calendar of every mailbox of the tenant"
        lines.append(Check(what="reach", state="warn", text=far, remedy=RBAC))
    return lines


def _fail(what: str, error: ConnectorError, remedy: str) -> Check:
    return Check(what=what, state="fail", text=str(error), remedy=remedy)


def _calendar(graph: Graph, name: str) -> list[Check]:
    what, mailbox = f"calendar {name}", name.partition("/")[0]
    try:
        place = graph.place(name)
        about = graph.read(
            mailbox, place.path if place.calendar else f"{place.user}/calendar", {"$select": "name,canEdit"}
        )
        zone = graph.zone(mailbox)
    except ConnectorError as error:
        return [_fail(what, error, _remedy(graph, error))]
    told = f'"{text(about, "name")}" of {mailbox}, ' + ("may be written" if about.get("canEdit") else "read only")
    lines = [Check(what=what, state="ok", text=told)]
    if not about.get("canEdit"):
        advice = "fine for role busy; publish and mirror need the right to write: share the calendar for editing"
        lines = [Check(what=what, state="warn", text=told, remedy=advice)]
    if place.calendar:
        advice = "nothing to do; a mailbox's main calendar costs less"
        lines.append(Check(what=what, state="warn", text="listed completely at each look", remedy=advice))
    if zone is None:
        lines.append(Check(what=what, state="warn", text="the mailbox does not tell its time zone", remedy=ZONE))
    return lines


def _remedy(graph: Graph, error: ConnectorError) -> str:
    """Return what to do about a mailbox that cannot be read."""
    code = error_of(error.answer)[0].lower() if error.answer is not None else ""
    if code.startswith("mailboxnot"):
        return LICENCE
    if isinstance(error, NotFound) or code in UNKNOWN_MAILBOX:
        return ADDRESS
    if graph.settings.secret is None and isinstance(error, AuthFailed | Forbidden):
        return f"{AGAIN.format(account=graph.account)}, with an account that may open this calendar"
    if isinstance(error, AuthFailed):
        return CONSENT
    if isinstance(error, Forbidden):
        return SCOPE
    return "write one of the names it has" if isinstance(error, Permanent) else "look again later"


def _push(graph: Graph) -> list[Check]:
    """Say whether Graph can tell us of changes: it calls public https addresses, and only those."""
    address = urlsplit(graph.env.public_url)
    if address.scheme != "https":
        advice = "set [daemon] public_url to the https address under which the Internet reaches /hook/; polling goes on"
        text_ = f"{graph.env.public_url or 'no public_url'}: Microsoft cannot call it, changes are seen by polling"
        return [Check(what="push", state="warn", text=text_, remedy=advice)]
    try:
        graph.read("", "subscriptions")
    except ConnectorError as error:
        return [_fail("push", error, CONSENT)]
    return [Check(what="push", state="ok", text=f"subscriptions can be made; Microsoft calls {address.netloc}")]
