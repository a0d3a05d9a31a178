"""WebDAV's XML, both ways: questions as text, a multistatus as rows. Knows no server and no calendar.

Read by expat in one pass, from UTF-8 alone: no document type, no outside entity, no depth (H103-H107, H112). Whatever
is not a whole multistatus raises Unreadable, so that a login page or half an answer never looks like an empty calendar.
"""

import re
from collections.abc import Iterable
from typing import TypeVar
from xml.parsers import expat
from xml.sax.saxutils import escape

from connectors._http import Answer
from syncd.errors import RemoteAnswer, Unreadable

DEPTH = 32
DAV, CALDAV = "DAV: ", "urn:ietf:params:xml:ns:caldav "
HREF, ETAG, TITLE, OWNER = f"{DAV}href", f"{DAV}getetag", f"{DAV}displayname", f"{DAV}owner"
KIND, TOKEN, REPORTS = f"{DAV}resourcetype", f"{DAV}sync-token", f"{DAV}supported-report-set"
PRIVILEGES = f"{DAV}current-user-privilege-set"
CTAG = "http://calendarserver.org/ns/ getctag"
CALENDAR, DATA, COMPONENTS = f"{CALDAV}calendar", f"{CALDAV}calendar-data", f"{CALDAV}supported-calendar-component-set"
SYNC_COLLECTION, VALID_TOKEN = f"{DAV}sync-collection", f"{DAV}valid-sync-token"
UID_CONFLICTS = frozenset((f"{CALDAV}no-uid-conflict", f"{CALDAV}unique-scheduling-object-resource"))

_RESPONSE, _MULTISTATUS, _ERROR = f"{DAV}response", f"{DAV}multistatus", f"{DAV}error"
_PROPSTAT, _PROP, _STATUS = f"{DAV}propstat", f"{DAV}prop", f"{DAV}status"
_CHARSETS = frozenset(("", "utf-8", "utf8", "us-ascii"))
_CONTROLS = bytes(one for one in range(1, 32) if one not in b"\t\n\r")
_HEAD = '<?xml version="1.0" encoding="utf-8"?>\n'
_NAMES = 'xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:S="http://calendarserver.org/ns/"'
_PREFIXES = {"DAV:": "", "urn:ietf:params:xml:ns:caldav": "C:", "http://calendarserver.org/ns/": "S:"}


class Row:
    """One response: what the server says of one href. Only properties that it has (2xx) are kept."""

    __slots__ = ("href", "parts", "status", "texts")

    def __init__(self) -> None:
        self.href = ""
        self.status: int | None = None  # of the row itself: 404 removed, 507 cut
        self.texts: dict[str, str] = {}
        self.parts: dict[str, frozenset[str]] = {}  # property -> names of the elements inside it

    def beside(self, href: str) -> "Row":
        """Return what is said of another href in the same words."""
        other = Row()
        other.href, other.status, other.texts, other.parts = href, self.status, self.texts, self.parts
        return other

    def has(self, name: str, part: str) -> bool:
        return part in self.parts.get(name, ())


class Multistatus:
    """A whole 207 body."""

    __slots__ = ("rows", "token")

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.token: str | None = None


def multistatus(answer: Answer) -> Multistatus:
    """Read a 207; raises Unreadable for everything that is not one."""
    if answer.status != 207:
        raise Unreadable(f"{answer.status} where a multistatus (207) was expected")
    return _parse(_Reader, answer).found


def conditions(answer: RemoteAnswer | None) -> frozenset[str]:
    """Return the preconditions that a refusal names (RFC 4918, section 16); empty where it names none."""
    if answer is None:
        return frozenset()
    try:
        return frozenset(_parse(_Conditions, answer).names)
    except Unreadable:
        return frozenset()


def propfind(*names: str) -> bytes:
    """Ask for properties."""
    return _asked("propfind", f"<prop>{_tags(names)}</prop>")


def sync_collection(token: str) -> bytes:
    """Ask what changed since a token (RFC 6578). Never with a limit: some servers cut there and do not say so."""
    inner = f"<sync-token>{escape(token)}</sync-token><sync-level>1</sync-level><prop><getetag/></prop>"
    return _asked("sync-collection", inner)


def multiget(hrefs: Iterable[str]) -> bytes:
    """Ask for the bodies of some entries (RFC 4791, section 7.9)."""
    wanted = "".join(f"<href>{escape(href)}</href>" for href in hrefs)
    return _asked("C:calendar-multiget", f"<prop><getetag/><C:calendar-data/></prop>{wanted}")


def uid_query(uid: str) -> bytes:
    """Ask for the entries with a UID (RFC 4791, section 7.8.6); servers may return more."""
    match = f'<C:text-match collation="i;octet">{escape(uid)}</C:text-match>'
    event = f'<C:comp-filter name="VEVENT"><C:prop-filter name="UID">{match}</C:prop-filter></C:comp-filter>'
    inner = f'<C:filter><C:comp-filter name="VCALENDAR">{event}</C:comp-filter></C:filter>'
    return _asked("C:calendar-query", f"<prop><getetag/><C:calendar-data/></prop>{inner}")


def _tags(names: Iterable[str]) -> str:
    return "".join(f"<{_PREFIXES[space]}{local}/>" for space, _, local in (name.partition(" ") for name in names))


def _asked(root: str, inner: str) -> bytes:
    return f"{_HEAD}<{root} {_NAMES}>{inner}</{root}>".encode()


class _Elements:
    """What every reading of XML has in common: depth, text, and the refusals."""

    def __init__(self) -> None:
        self.depth = 0
        self.text: list[str] = []

    def start(self, name: str, _attributes: object) -> None:
        self.depth += 1
        self.text.clear()
        if self.depth > DEPTH:
            raise Unreadable(f"the answer is XML nested deeper than {DEPTH} levels")
        self.opened(name)

    def end(self, name: str) -> None:
        self.closed(name, "".join(self.text))
        self.text.clear()
        self.depth -= 1

    def opened(self, name: str) -> None: ...

    def closed(self, name: str, text: str) -> None: ...


Reading = TypeVar("Reading", bound=_Elements)


class _Reader(_Elements):
    """Depth tells what an element is: 2 response, 3 href | status | propstat, 4 prop | status, 5 a property."""

    def __init__(self) -> None:
        super().__init__()
        self.found = Multistatus()
        self.row = Row()
        self.hrefs: list[str] = []  # several may share one status (RFC 4918, 14.24)
        self.inside = ""  # the element of depth 3
        self.status: int | None = None  # of the propstat in hand
        self.texts: dict[str, str] = {}
        self.names: list[str] = []
        self.parts: dict[str, frozenset[str]] = {}

    def opened(self, name: str) -> None:
        if self.depth == 1 and name != _MULTISTATUS:
            raise Unreadable("the answer is XML, and no multistatus")
        if self.depth == 2:
            self.row, self.hrefs = Row(), []
        elif self.depth == 3:
            self.inside, self.status, self.texts, self.parts = name, None, {}, {}
        elif self.depth == 5:
            self.names = []
        elif self.depth > 5:
            self.names.append(name)

    def closed(self, name: str, text: str) -> None:
        if self.depth == 5 and self.inside == _PROPSTAT:
            self.texts[name] = text
            if self.names:
                self.parts[name] = frozenset(self.names)
        elif self.depth == 4 and name == _STATUS:
            self.status = _status(text)
        elif self.depth == 3:
            self._close_part(name, text)
        elif self.depth == 2:
            self._close_row(name, text)

    def _close_part(self, name: str, text: str) -> None:
        if name == HREF:
            self.hrefs.append(text.strip())
        elif name == _STATUS:
            self.row.status = _status(text)
        elif name == _PROPSTAT and (self.status is None or 200 <= self.status < 300):
            self.row.texts |= self.texts
            self.row.parts |= self.parts

    def _close_row(self, name: str, text: str) -> None:
        if name == _RESPONSE:
            self.row.href = self.hrefs[0] if self.hrefs else ""
            self.found.rows += [self.row, *(self.row.beside(href) for href in self.hrefs[1:])]
        elif name == TOKEN:
            self.found.token = text.strip()


class _Conditions(_Elements):
    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def opened(self, name: str) -> None:
        if self.depth == 1 and name != _ERROR:
            raise Unreadable("not an error of WebDAV")
        if self.depth == 2:
            self.names.append(name)


def _parse(kind: type[Reading], answer: RemoteAnswer) -> Reading:
    """Read a body; raises Unreadable."""
    charset = answer.headers.get("Content-Type", "").lower().partition("charset=")[2].partition(";")[0].strip(" \"'")
    _allow(charset)
    if b"\0" in answer.body:  # expat would guess at UTF-16
        raise Unreadable("the answer is not XML in UTF-8")
    try:
        return _read(kind, answer.body)
    except expat.ExpatError as error:
        cleaned = answer.body.translate(None, _CONTROLS)
        if len(cleaned) == len(answer.body):
            raise _broken(error) from None
    try:
        return _read(kind, cleaned)  # one entry with a stray control must not close a whole calendar
    except expat.ExpatError as error:
        raise _broken(error) from None


def _broken(error: expat.ExpatError) -> Unreadable:
    return Unreadable(f"the answer is not whole XML ({expat.errors.messages[error.code]})")


def _read(kind: type[Reading], body: bytes) -> Reading:
    reader = kind()
    _parser(reader).Parse(body, True)
    return reader


def _parser(reader: _Elements) -> expat.XMLParserType:
    parser = expat.ParserCreate("utf-8", " ")
    parser.buffer_text = True
    parser.buffer_size = 65536
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text.append
    parser.StartDoctypeDeclHandler = _no_doctype
    parser.XmlDeclHandler = _declared
    return parser


def _no_doctype(*_: object) -> None:
    raise Unreadable("the answer is XML with a document type, which is refused")


def _declared(_version: str, encoding: str | None, _standalone: int) -> None:
    _allow((encoding or "").lower())


def _allow(charset: str) -> None:
    if charset not in _CHARSETS:
        raise Unreadable(f"the answer is XML in {charset[:20]!r}, not in UTF-8")


def _status(text: str) -> int | None:
    match = re.match(r"\s*HTTP/\S+\s+(\d{3})\b", text)
    return int(match[1]) if match else None
