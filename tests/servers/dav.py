"""A person's hands at a CalDAV server: plain HTTP, written apart from what is tested."""

import base64
import http.client
import itertools
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Said:
    """An answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Hands:
    """One user at one server: a socket to it, or the WSGI application itself."""

    def __init__(self, url: str, user: str = "", password: str = "") -> None:
        self.url = url
        parts = urlsplit(url)
        self.host, self.port, self.base = parts.hostname or "", parts.port or 80, parts.path
        self.headers = {}
        if user:
            login = base64.b64encode(f"{user}:{password}".encode()).decode()
            self.headers["Authorization"] = f"Basic {login}"

    def ask(self, method: str, path: str, body: bytes | str = b"", **headers: str) -> Said:
        """Send one request; header names are written with underscores."""
        sent = self.headers | {name.replace("_", "-"): value for name, value in headers.items()}
        return self._carry(method, path, body.encode() if isinstance(body, str) else body, sent)

    def _carry(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Said:
        line = http.client.HTTPConnection(self.host, self.port, timeout=30)
        try:
            line.request(method, path, body, dict(headers))
            answer = line.getresponse()
            return Said(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            line.close()

    def make_calendar(self, path: str, title: str = "") -> None:
        """Make a calendar; its parents must be there."""
        name = f"<displayname>{title}</displayname>" if title else ""
        body = (
            '<?xml version="1.0"?><C:mkcalendar xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">'
            f"<set><prop>{name}</prop></set></C:mkcalendar>"
        )
        done = self.ask("MKCALENDAR", path, body, Content_Type="application/xml")
        assert done.status == 201, (path, done)

    def put(self, path: str, text: str) -> str:
        """Write an entry whatever stands there; return its etag ("" where the server does not tell)."""
        done = self.ask("PUT", path, text.replace("\n", "\r\n"), Content_Type="text/calendar; charset=utf-8")
        assert done.status in (200, 201, 204), (path, done)
        return {name.lower(): value for name, value in done.headers.items()}.get("etag", "")

    def get(self, path: str) -> str | None:
        """Read an entry, unfolded, with plain newlines; None where there is none."""
        found = self.ask("GET", path)
        if found.status in (404, 410):
            return None
        assert found.status == 200, (path, found)
        return re.sub(r"\n[ \t]", "", found.body.decode().replace("\r\n", "\n"))

    def delete(self, path: str) -> None:
        done = self.ask("DELETE", path)
        assert done.status in (200, 204), (path, done)

    def entries(self, path: str) -> list[str]:
        """List the hrefs of the entries of a calendar."""
        body = '<?xml version="1.0"?><propfind xmlns="DAV:"><prop><getetag/></prop></propfind>'
        found = self.ask("PROPFIND", path, body, Depth="1", Content_Type="application/xml")
        assert found.status == 207, found
        hrefs = [one.text or "" for one in ElementTree.fromstring(found.body).iter("{DAV:}href")]
        return sorted(one for one in hrefs if not one.endswith("/"))


class WsgiHands(Hands):
    """The same hands, reaching into an application of this process."""

    def __init__(self, app: Any, user: str, password: str) -> None:
        super().__init__("http://inside/", user, password)
        self.app = app

    def _carry(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Said:
        import io
        from urllib.parse import unquote

        environ = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote(path),
            "QUERY_STRING": "",
            "SERVER_NAME": "inside",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": io.StringIO(),
            "wsgi.url_scheme": "http",
        }
        for name, value in headers.items():
            key = name.upper().replace("-", "_")
            environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
        started: list[tuple[str, list[tuple[str, str]]]] = []
        parts = self.app(environ, lambda status, fields: started.append((status, fields)))
        return Said(int(started[0][0][:3]), dict(started[0][1]), b"".join(parts))


def event(start: datetime, end: datetime, *, uid: str = "", title: str = "Dentista", more: str = "") -> str:
    """Write a person's entry; `more` are further lines of it."""
    uid = uid or f"personal-{next(_numbers)}@example.net"
    lines = more.strip("\n") + "\n" if more else ""
    return (
        "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//Somebody//Phone//EN\nBEGIN:VEVENT\n"
        f"UID:{uid}\nDTSTAMP:20260101T000000Z\nDTSTART:{stamp(start)}\nDTEND:{stamp(end)}\nSUMMARY:{title}\n"
        f"{lines}END:VEVENT\nEND:VCALENDAR\n"
    )


def stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def with_lines(text: str, lines: str) -> str:
    """Add lines to the end of an entry, as a client does with a reminder or a colour."""
    assert "END:VEVENT" in text
    return text.replace("END:VEVENT", lines.strip("\n") + "\nEND:VEVENT")


def with_line(text: str, name: str, line: str) -> str:
    """Replace one property of an entry, whatever its parameters."""
    changed, count = re.subn(rf"^{name}[;:].*$", lambda _: line, text, flags=re.MULTILINE)
    assert count == 1, (name, text)
    return changed
