"""What doctor and check-config --online say of a Google account: each line with its remedy."""

from collections.abc import Sequence

from connectors._google_account import Json, Person, person_of
from connectors._google_errors import reason_of, said_of
from connectors._google_event import text_of
from connectors._google_settings import SCOPES, GoogleSettings
from syncd.core.ids import AccountId
from syncd.errors import AuthFailed, ConnectorError, Forbidden, NotFound, Transient
from syncd.ports import Check, Environment

LISTS = "https://www.googleapis.com/auth/calendar.calendarlist.readonly"  # only to name the candidates
DELEGATION = (
    "Workspace admin console, Security, Access and data control, API controls, Domain-wide delegation, Add new: the "
    f"service account's client id, with the scopes {','.join(SCOPES)} (it may take some hours to work everywhere)"
)
TESTING = (
    "If sign-ins end after seven days, the consent screen is in testing: Google Cloud console, Google Auth Platform, "
    "Audience, Publish app"
)
ENABLE = "Google Cloud console, APIs and Services, Library, Google Calendar API, Enable; it works after some minutes"
SHARE = (
    "correct the calendar's id (calendar settings, Integrate calendar), or share it with {who} with the right to make "
    "changes to events"
)
WRITERS = frozenset({"owner", "writer"})
PEOPLE = ("@group.calendar.google.com", "@resource.calendar.google.com", "@group.v.calendar.google.com")


def check(account: AccountId, settings: GoogleSettings, env: Environment, names: Sequence[str]) -> list[Check]:
    """Try the login, then every calendar that the configuration names, as the person it would be asked as."""
    person = person_of(account, settings, env, _subject(names, names))
    lines = [_transport(person)]
    login = _login(person)
    lines.append(login)
    if login.state == "fail":
        return lines
    lines += [_calendar(person_of(account, settings, env, _subject([name], names)), name) for name in names]
    if names:
        lines.append(_free_busy(person, names))
    return lines


def _subject(names: Sequence[str], all_names: Sequence[str]) -> str:
    """Return as whom a service account comes: a calendar named like a person is that person's own."""
    people = [name for name in (*names, *all_names) if "@" in name and not name.endswith(PEOPLE)]
    return people[0] if people else ""


def _transport(person: Person) -> Check:
    origin = person.http.reach.origin
    if origin.scheme == "https" or origin.loopback:
        return Check(what="transport", state="ok", text=str(origin))
    return Check(
        what="transport",
        state="warn",
        text=f"{origin}: tokens and calendars travel readable",
        remedy="use https; allow_http = true is meant for networks of one's own",
    )


def _login(person: Person) -> Check:
    whose = person.subject or "itself" if person.settings.service_account else "the person who signed in"
    try:
        person.login.token()
    except AuthFailed as error:
        return Check(what="login", state="fail", text=str(error), remedy=_login_remedy(person, str(error)))
    except Forbidden as error:
        remedy = "correct the agent's e-mail address: it must be a user of this Workspace domain, not suspended"
        return Check(what="login", state="fail", text=str(error), remedy=remedy)
    except ConnectorError as error:
        remedy = f"reach {person.settings.token_endpoint} from this machine (firewall, proxy, [daemon] proxy)"
        return Check(what="login", state="fail", text=str(error), remedy=remedy)
    kind = "service account, as " if person.settings.service_account else ""
    return Check(what="login", state="ok", text=f"{kind}{whose}")


def _login_remedy(person: Person, text: str) -> str:
    if person.settings.service_account is None:
        return f"run: syncd auth {person.account}. {TESTING}"
    if "unauthorized_client" in text:
        missing = [scope for scope in SCOPES if not _allowed(person, (scope,))]
        only = "" if len(missing) == len(SCOPES) else f"missing there: {','.join(missing)}. "
        return f"{only}{DELEGATION}"
    return (
        "make a new JSON key: Google Cloud console, IAM and Admin, Service Accounts, Keys; check this machine's clock"
    )


def _allowed(person: Person, scopes: tuple[str, ...]) -> bool:
    try:
        person.login.token_for(scopes)
    except ConnectorError:
        return False
    return True


def _calendar(person: Person, name: str) -> Check:
    """Read one entry of a calendar: that tells whether it may be read, by what right, and in which zone it lives."""
    what = f"calendar {name}"
    try:
        question = person.service.events().list(
            calendarId=name,
            maxResults=1,
            fields="kind,summary,timeZone,accessRole",
            quotaUser=person.quota_user,
        )
        told = person.ask(question)
    except ConnectorError as error:
        return _refused(person, what, error)
    role = text_of(told, "accessRole")
    text = f'"{text_of(told, "summary")}", {text_of(told, "timeZone")}, {role or "the right is not told"}'
    if role in WRITERS or not role:
        return Check(what=what, state="ok", text=text)
    remedy = "fine for role busy; publish and mirror need the right to make changes to events: share it so"
    return Check(what=what, state="warn", text=f"{text}: read only", remedy=remedy)


def _refused(person: Person, what: str, error: ConnectorError) -> Check:
    return Check(what=what, state="fail", text=_told(error), remedy=_remedy(person, error))


def _remedy(person: Person, error: ConnectorError) -> str:
    reason = reason_of(error)
    who = person.subject or str(person.settings.key_file.get("client_email") or "the person who signed in")
    if reason in ("accessNotConfigured", "SERVICE_DISABLED"):
        return ENABLE
    if reason in ("insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"):
        again = DELEGATION if person.settings.service_account else f"run: syncd auth {person.account}, tick every box"
        return f"the login lacks a scope: {again}"
    if isinstance(error, NotFound):
        return SHARE.format(who=who) + _choices(person)
    if isinstance(error, AuthFailed):
        return _login_remedy(person, str(error))
    if isinstance(error, Transient):
        return (
            "nothing to do: try again in a minute; if it stays, ask Google for more quota (APIs and Services, Quotas)"
        )
    if isinstance(error, Forbidden) and reason == "domainPolicy":
        return "the domain's administrator has switched this off: Workspace admin console, Apps, Calendar"
    return SHARE.format(who=who)


def _told(error: ConnectorError) -> str:
    said = said_of(error)
    return f"{error} ({said})" if said and said not in str(error) else str(error)


def _choices(person: Person) -> str:
    """Name what there is to choose from, where the login may list calendars at all (a scope of its own)."""
    try:
        token = person.login.token_for((LISTS,))
        url = f"{person.settings.endpoint}users/me/calendarList?maxResults=50&fields=items(id)"
        told: Json = person.http.send("GET", url, headers={"Authorization": f"Bearer {token}"}, ok=(200,)).json()
        names = [text_of(one, "id") for one in told["items"]]
    except (ConnectorError, TypeError, LookupError, AttributeError):
        return ""
    return f"; this login sees: {', '.join(sorted(names))}" if names else ""


def _free_busy(person: Person, names: Sequence[str]) -> Check:
    """Try the scope that the last look before a write needs."""
    now = person.env.clock.now().strftime("%Y-%m-%dT%H:00:00Z")
    later = person.env.clock.now().strftime("%Y-%m-%dT%H:59:59Z")
    body = {"timeMin": now, "timeMax": later, "items": [{"id": names[0]}]}
    try:
        person.ask(person.service.freebusy().query(body=body, quotaUser=person.quota_user), idempotent=True)
    except ConnectorError as error:
        return _refused(person, "free/busy", error)
    return Check(what="free/busy", state="ok", text="may be asked")
