"""A CalDAV calendar on stage: any server that `Hands` can reach, and its owner."""

import itertools
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from connectors.caldav import SPEC, CaldavSettings
from syncd.clock import SystemClock
from syncd.core.ids import AccountId, CalendarId
from syncd.core.interval import Interval
from syncd.core.publish import EventDraft, EventKey
from syncd.ports import Calendar, CalendarUse, Environment, Home
from tests.contracts.calendar import Shown
from tests.servers.caldav_liar import Liar
from tests.servers.dav import Hands, event, stamp, with_line, with_lines

FIRST = datetime(2026, 12, 7, 12, tzinfo=UTC)
REMINDER = "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT10M\nDESCRIPTION:Aviso\nEND:VALARM\nCOLOR:tomato"
_numbers = itertools.count(1)


def environment(**changes: Any) -> Environment:
    told: dict[str, Any] = {"clock": SystemClock(), "secret": lambda purpose: purpose.encode()} | changes
    return Environment(**told)


def settings_for(url: str, user: str = "", password: str = "", **changes: Any) -> CaldavSettings:
    login = {"username": user, "password": password} if user else {}
    return CaldavSettings.model_validate({"url": url, **login, **changes})


def calendar_of(settings: CaldavSettings, name: str, env: Environment, account: str = "") -> Calendar:
    assert SPEC.calendar is not None
    use = CalendarUse(name=name, time_zone="America/Santiago", emails=frozenset({"ana@example.cl"}))
    return SPEC.calendar(AccountId(account or f"account{next(_numbers)}"), settings, env, use)


def home_of(settings: CaldavSettings, names: list[str], env: Environment, account: str = "") -> Home:
    assert SPEC.home is not None
    return SPEC.home(AccountId(account or f"account{next(_numbers)}"), settings, env, names)


class DavStage:
    """One fresh calendar of one server, as the contract wants it."""

    def __init__(
        self, hands: Hands, settings: CaldavSettings, folder: str, env: Environment, *, base: str = "", owner: str = ""
    ) -> None:
        """`base`: what the connector's paths begin with and the hands' do not; `owner`: how the name begins."""
        self.hands, self.settings, self.env, self.base = hands, settings, env, base
        number = next(_numbers)
        self.name = f"{owner}visitas {number}"  # a blank in it, as people do
        self.inside = f"{folder}visitas%20{number}/"  # the path for the hands
        hands.make_calendar(self.inside)
        account = f"stage{number}"
        self.calendar = calendar_of(settings, self.name, env, account)
        self.home: Home | None = home_of(settings, [self.name], env, account)
        self.first = FIRST
        self.account = account

    def another(self) -> Calendar:
        """Make a second calendar of the same login."""
        self.hands.make_calendar(f"{self.inside.rstrip('/')}b/")
        return calendar_of(self.settings, f"{self.name}b", self.env, self.account)

    def add(self, interval: Interval, title: str = "Dentista") -> str:
        path = f"{self.inside}personal%20{next(_numbers)}%40x.ics"
        self.hands.put(path, event(interval.start, interval.end, title=title))
        return self.base + path

    def drag(self, remote_id: str, interval: Interval) -> None:
        text = with_line(self._text(remote_id), "DTSTART", f"DTSTART:{stamp(interval.start)}")
        self._write(remote_id, with_line(text, "DTEND", f"DTEND:{stamp(interval.end)}"))

    def decorate(self, remote_id: str, notes: str) -> None:
        text = self._text(remote_id)
        old = re.search(r"^DESCRIPTION:(.*)$", text, re.MULTILINE)
        if old is not None:
            text = with_line(text, "DESCRIPTION", f"DESCRIPTION:{old[1]}\\n{notes}")
        else:
            text = with_lines(text, f"DESCRIPTION:{notes}")
        self._write(remote_id, with_lines(text, REMINDER))

    def remove(self, remote_id: str) -> None:
        self.hands.delete(self._path(remote_id))

    def look(self, remote_id: str) -> Shown | None:
        text = self.hands.get(self._path(remote_id))
        return None if text is None else shown(text)

    def everything(self) -> list[str]:
        return [self.base + quote(unquote(urlsplit(one).path)) for one in self.hands.entries(self.inside)]

    def forget_places(self) -> None:
        """Take the calendar away and make it anew with the same entries: no server knows its old tokens then."""
        kept = {one: self.hands.get(one) for one in self.hands.entries(self.inside)}
        self.hands.delete(self.inside)
        self.hands.make_calendar(self.inside)
        for path, text in kept.items():
            assert text is not None
            self.hands.put(path, text)

    def _path(self, remote_id: str) -> str:
        assert remote_id.startswith(self.base)
        return remote_id.removeprefix(self.base)

    def _text(self, remote_id: str) -> str:
        text = self.hands.get(self._path(remote_id))
        assert text is not None
        return text

    def _write(self, remote_id: str, text: str) -> None:
        self.hands.put(self._path(remote_id), text)


class LiarStage(DavStage):
    """A calendar of a server that misbehaves on command."""

    def __init__(self, liar: Liar, **changes: Any) -> None:
        super().__init__(Hands(liar.url), settings_for(liar.url, **changes), liar.home, environment())
        self.liar = liar

    def forget_places(self) -> None:
        self.liar.forget()

    def asked(self) -> list[str]:
        """Return, and forget, what was asked of the server so far."""
        asked = list(self.liar.requests)
        self.liar.requests.clear()
        self.liar.bodies.clear()
        return asked


def shown(text: str) -> Shown:
    """Read an entry as its owner sees it, by means of its own."""
    lines = properties(text)
    return Shown(
        title=lines["SUMMARY"],
        interval=Interval(moment(lines["DTSTART"]), moment(lines["DTEND"])),
        location=lines.get("LOCATION", ""),
        notes=lines.get("DESCRIPTION", ""),
        decorated="TRIGGER:-PT10M" in text and "COLOR:tomato" in text,
    )


def properties(text: str) -> Mapping[str, str]:
    """Return the properties of the event itself, unescaped, without parameters; those of its alarms are left out."""
    inner = re.sub(r"BEGIN:VALARM.*?END:VALARM\n", "", text, flags=re.DOTALL)
    found: dict[str, str] = {}
    for line in inner.split("\n"):
        name, _, value = line.partition(":")
        found.setdefault(
            name.partition(";")[0], re.sub(r"\\(.)", lambda one: "\n" if one[1] in "nN" else one[1], value)
        )
    return found


def moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


WINDOW = Interval(FIRST - timedelta(days=5), FIRST + timedelta(days=60))


def stands_in_two_calendars(stage: DavStage) -> None:
    """Put one visit into two calendars of a login, as two agents who attend it together have it, and change both."""
    start, other = stage.first, stage.another()
    both = [(stage.calendar, "one"), (other, "two")]
    drafts = [
        EventDraft(
            key=EventKey("visit:v1", CalendarId(f"oficina/{name}")),
            uid="visit-v1@syncd",
            interval=Interval(start, start + timedelta(minutes=20)),
            time_zone="America/Santiago",
            title="Visita",
            body="Cliente: Eva",
        )
        for _, name in both
    ]
    put = [calendar.put(draft, None) for (calendar, _), draft in zip(both, drafts, strict=True)]
    assert len({one.remote_id for one in put}) == 2
    for (calendar, _), draft, known in zip(both, drafts, put, strict=True):
        assert calendar.put(draft, None).remote_id == known.remote_id, "a repeated creation meets itself"
        found = calendar.find(draft.key, draft.uid)
        assert found is not None and (found.remote_id, found.uid) == (known.remote_id, known.uid)
        moved = replace(draft, interval=Interval(start + timedelta(hours=2), start + timedelta(hours=3)))
        again = calendar.put(moved, known)
        assert (again.uid, again.content_hash) == (known.uid, moved.content_hash)
        seen = stage.look(known.remote_id)
        assert seen is not None and seen.interval == moved.interval
        calendar.delete(again)
        assert stage.look(known.remote_id) is None
