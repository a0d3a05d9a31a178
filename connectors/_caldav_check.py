"""What doctor and check-config --online say of a CalDAV account: each line with its remedy."""

from collections.abc import Sequence

from connectors import _caldav_xml as xml
from connectors._caldav_account import Account, Collection, account_of
from connectors._caldav_library import features_of
from connectors._caldav_settings import CaldavSettings
from syncd.core.ids import AccountId
from syncd.errors import AuthFailed, ConnectorError
from syncd.ports import Check, Environment

LOGIN = "correct username and password (many providers want an app password for this), or token"
WRITES = frozenset(f"{xml.DAV}{word}" for word in ("write", "write-content", "all"))
BINDS = frozenset(f"{xml.DAV}{word}" for word in ("write", "bind", "all"))


def check(account: AccountId, settings: CaldavSettings, env: Environment, names: Sequence[str]) -> list[Check]:
    """Try the login, find the home, resolve every calendar that the configuration names."""
    if settings.quirks is not None and (wrong := _quirks(settings.quirks)) is not None:
        return [wrong]
    try:
        speaker = account_of(account, settings, env)
        listing = speaker.listing()
    except AuthFailed as error:
        return [Check(what="login", state="fail", text=_login_text(error), remedy=LOGIN)]
    except ConnectorError as error:
        return [Check(what="server", state="fail", text=str(error), remedy=_remedy(settings))]
    lines = [*_transport(speaker), Check(what="login", state="ok", text=settings.username or "as given")]
    lines.append(Check(what="home", state="ok", text=f"{speaker.home}, {len(listing)} calendars"))
    for name in names:
        lines += _calendar(speaker, name, listing)
    return lines


def _quirks(name: str) -> Check | None:
    try:
        features_of(name)
    except ConnectorError as error:
        advice = "write the kind of the server (nextcloud, icloud, sogo, zimbra, davical …), or leave the line out"
        return Check(what="quirks", state="fail", text=str(error), remedy=advice)
    return None


def _login_text(error: AuthFailed) -> str:
    asked = error.answer.headers.get("WWW-Authenticate", "") if error.answer is not None else ""
    if asked.lower().startswith("digest"):
        return f"{error}; the server wants Digest, which syncd does not speak: switch it to Basic over https"
    return str(error)


def _remedy(settings: CaldavSettings) -> str:
    wanted = "the address of the CalDAV service, of the user's home, or of one calendar"
    return f"correct url = {settings.base_url!r}: {wanted}"


def _transport(speaker: Account) -> list[Check]:
    origin = speaker.http.reach.origin
    if speaker.http.inside:
        return [Check(what="transport", state="ok", text="the embedded server, inside this process")]
    if origin.scheme == "https" or origin.loopback:
        return [Check(what="transport", state="ok", text=str(origin))]
    return [
        Check(
            what="transport",
            state="warn",
            text=f"{origin}: login and calendars travel readable",
            remedy="use https; allow_http = true is meant for networks of one's own",
        )
    ]


def _calendar(speaker: Account, name: str, listing: Sequence[Collection]) -> list[Check]:
    what = f"calendar {name}"
    try:
        path = speaker.find(name, listing)
        about = speaker.collection(path)
        rights = _rights(speaker, path)
    except AuthFailed as error:
        return [Check(what=what, state="fail", text=str(error), remedy=LOGIN)]
    except ConnectorError as error:
        return [Check(what=what, state="fail", text=str(error), remedy=_choices(speaker))]
    title = f' "{about.title}"' if about.title else ""
    lines = [Check(what=what, state="ok", text=f"{path}{title}, {rights}")]
    if rights == "read only":
        advice = "fine for role busy; publish and mirror need the right to write: share it with this login for writing"
        lines[0] = Check(what=what, state="warn", text=f"{path}{title}, {rights}", remedy=advice)
    if not (about.syncs and about.token):
        advice = "nothing to do; a server with sync-collection (RFC 6578) would cost less"
        lines.append(Check(what=what, state="warn", text="listed completely after each change", remedy=advice))
    return lines


def _rights(speaker: Account, path: str) -> str:
    """Say whether the login may write, as far as the server tells (RFC 3744, section 5.4)."""
    rows = xml.multistatus(speaker.propfind(path, xml.propfind(xml.PRIVILEGES), 0)).rows
    if not rows or xml.PRIVILEGES not in rows[0].texts:
        return "the server does not tell whether it may be written"
    held = rows[0].parts.get(xml.PRIVILEGES, frozenset())
    return "may be written" if held & WRITES and held & BINDS else "read only"


def _choices(speaker: Account) -> str:
    """Name what there is to choose from, as the caldav library sees the account."""
    try:
        found = speaker.library.candidates()
    except ConnectorError:
        return "correct the name: a path below the home, a display name that only one calendar has, or a whole URL"
    told = ", ".join(sorted(f'{one.path} ("{one.title}")' if one.title else one.path for one in found))
    return f"write one of: {told}" if told else "make the calendar at the server first: this login sees none"
