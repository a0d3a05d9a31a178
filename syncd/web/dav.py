"""The CalDAV server inside the daemon: Radicale as a WSGI application with our sign-in and rights. Knows no visit.

The same application serves agents under /dav/ and, without a socket, our own caldav connector.
"""

import base64
import hmac
import io
import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from radicale import config
from radicale.app import Application
from radicale.auth import BaseAuth
from radicale.rights import BaseRights

from syncd.core.directory import Directory
from syncd.core.limits import DAV_BODY
from syncd.flows.sign_in import EMBEDDED

INTERNAL = "syncd"  # the user as whom our own connector comes; never over the network
ALL_RIGHTS = "RWrwDO"

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def dav_app(state_dir: Path, internal_password: str, check_password: Callable[[str, str], bool]) -> WsgiApp:
    """Make the server over `<state_dir>/dav`."""
    logging.getLogger("radicale").disabled = True  # it names people and paths; failures are seen as answers
    folder = state_dir / "dav"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)  # what stands inside is as closed as this folder
    settings = config.load()
    settings.update(
        {
            "server": {
                "max_content_length": str(DAV_BODY),
                "max_resource_size": str(2**20),
                "delay_on_error": "0",
                "max_vevent_rrule_occurrence": "5000",
            },
            "auth": {"type": _sign_in(internal_password, check_password), "delay": "0"},
            "rights": {"type": Rights, "permit_delete_collection": "False", "permit_overwrite_collection": "False"},
            "storage": {"filesystem_folder": str(folder), "folder_umask": "0077"},
            "web": {"type": "none"},
        },
        "syncd",
    )
    app: WsgiApp = Application(settings)
    return app


def _sign_in(internal_password: str, check_password: Callable[[str, str], bool]) -> type[BaseAuth]:
    class SignIn(BaseAuth):
        """Our own connector by its password, agents by theirs."""

        def _login(self, login: str, password: str) -> str:
            if login == INTERNAL:
                right = hmac.compare_digest(password.encode(), internal_password.encode())
            else:
                right = check_password(login, password)
            return login if right else ""

    return SignIn


class Rights(BaseRights):
    """An agent reads and writes below the own name and deletes no calendar; our connector may do everything."""

    def authorization(self, user: str, user_groups: set[str], path: str) -> str:
        parts = [part for part in path.split("/") if part]
        if user == INTERNAL:
            return ALL_RIGHTS
        if not user:
            return ""
        if not parts:
            return "R"
        if parts[0] != user:
            return ""
        return {1: "RW", 2: "rw"}.get(len(parts), "")


def embedded_calendars(directory: Directory) -> list[str]:
    """List the calendars of the account "embedded", as the configuration writes them: `ana/visits`."""
    return sorted({ref.name.strip("/") for ref in directory.calendars() if ref.account == EMBEDDED})


def ensure_calendars(app: WsgiApp, internal_password: str, names: Iterable[str]) -> None:
    """Make the calendars that are not there yet; those that are stay as they are. Raises OSError where it cannot."""
    for name in names:
        home = name.partition("/")[0]
        _ask(app, internal_password, "MKCOL", f"/{home}/")
        _ask(app, internal_password, "MKCALENDAR", f"/{name}/")
        if _ask(app, internal_password, "PROPFIND", f"/{name}/") != 207:
            raise OSError(f"the embedded CalDAV server could not make the calendar {name!r}")


def _ask(app: WsgiApp, internal_password: str, method: str, path: str) -> int:
    credentials = base64.b64encode(f"{INTERNAL}:{internal_password}".encode()).decode()
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "SCRIPT_NAME": "",
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "0",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_AUTHORIZATION": f"Basic {credentials}",
        "HTTP_DEPTH": "0",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": io.StringIO(),
        "wsgi.url_scheme": "http",
    }
    answered: list[str] = []
    list(app(environ, lambda status, headers: answered.append(status)))
    return int(answered[0].partition(" ")[0])
