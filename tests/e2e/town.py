"""One installation as an administrator would make it: a configuration written by hand, the real daemon, and around it
a Radicale, a Xandikos and a scheduler, each behind a socket of this machine."""

import hashlib
import hmac
import json
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any, TypeVar

import requests
from icalendar import Calendar

from syncd.clock import SystemClock
from syncd.demo.calendars import Agenda
from syncd.practice_calendly import Client, Company, PracticeServer
from tests.cli.office import Done, Office, next_monday
from tests.servers import radicale
from tests.servers.dav import Hands, stamp, with_line
from tests.servers.xandikos import HOME

T = TypeVar("T")
Json = dict[str, Any]

KEY = "una-clave-larga-para-firmar"
QUESTION = "Indique el número de su propiedad"
PLACE = "Av. Siempre Viva 742, Santiago"
PATIENCE = 30.0  # seconds until a claim that does not come true has failed
ANA, BRUNO, CARLA = "ana", "bruno", "carla"
SECRETS = {"calendly-token": "practice-token", "calendly-key": KEY, "radicale": radicale.PASSWORD, "crm": "c" * 40}

CONFIGURATION = """\
[daemon]
public_url = "{url}"
listen = "{listen}"
state_dir = "state"
time_zone = "America/Santiago"
locale = "es_CL"

[sync]
poll_every = "{poll_every}"
on_conflict = ["flag"]

[api]
tokens = {{ crm = {{ file = "crm" }} }}

[accounts.calendly]
kind = "calendly"
api_url = "{scheduler}"
token = {{ file = "calendly-token" }}
signing_keys = [{{ file = "calendly-key" }}]

[accounts.radicale]
kind = "caldav"
url = "{radicale}"
username = "ana"
password = {{ file = "radicale" }}

[accounts.xandikos]
kind = "caldav"
url = "{xandikos}"

[[agents]]
id = "ana"
name = "Ana Soto"
email = "ana@inmobiliaria.example"
hours = "siempre"
calendars = [{{ account = "radicale", calendar = "ana/ana", role = "publish" }}]

[[agents]]
id = "bruno"
name = "Bruno Rojas"
email = "bruno@inmobiliaria.example"
hours = "siempre"
calendars = [{{ account = "xandikos", calendar = "bruno", role = "publish" }}]

[[agents]]
id = "carla"
name = "Carla Vidal"
email = "carla@inmobiliaria.example"
hours = "siempre"
calendars = [{{ account = "radicale", calendar = "ana/carla", role = "publish" }}]

[hours.siempre]
weekly.mon = ["09:00-18:00"]
weekly.tue = ["09:00-18:00"]
weekly.wed = ["09:00-18:00"]
weekly.thu = ["09:00-18:00"]
weekly.fri = ["09:00-18:00"]

[event_types.visita]
name = "Visita"
duration = "20m"
buffer_after = "10m"
minimum_notice = "1h"
window = "60d"
title = "Visita {{{{ proyecto }}}} - {{{{ respuesta_1 }}}}"
questions = [{{ text = "{question}", required = true }}]

[projects.casas]
name = "Casas PlanOK"
address = "{place}"
team = ["ana", "bruno", "carla"]
event_types = {{ standard = "visita" }}
scheduler = {{ account = "calendly", standard = "{event_type}" }}
"""


class TimeIsUp(AssertionError):
    """Something that was waited for did not come true."""


def eventually(what: str, probe: Callable[[], T | None], within: float = PATIENCE) -> T:
    """Look again and again until there is something to see, and return it."""
    clock, pause = SystemClock(), threading.Event()
    until = clock.monotonic() + within
    while not (found := probe()):
        if clock.monotonic() > until:
            raise TimeIsUp(what)
        pause.wait(0.05)
    return found


def monday(hour: int = 10, minute: int = 0, *, days: int = 0) -> datetime:
    """Return a time on the wall clock of Santiago, counted from a Monday that is a week or two away."""
    return next_monday(time(hour, minute)) + timedelta(days=days)


@dataclass(frozen=True, slots=True)
class Servers:
    """Where the CalDAV servers of a town answer."""

    radicale: str
    xandikos: str


class Town(Office):
    """The installation, its surroundings, and what people do there."""

    def __init__(self, home: Path, servers: Servers, scheduler: PracticeServer, poll_every: str) -> None:
        super().__init__(home, lambda: ("", ""))
        self.servers = servers
        self.scheduler = scheduler
        company = scheduler.company
        self.users = {
            one: company.add_user(one.capitalize(), f"{one}@inmobiliaria.example") for one in (ANA, BRUNO, CARLA)
        }
        hosts = list(self.users.values())
        self.event_type = company.add_event_type("Visita", 20, hosts, after=10, place=PLACE, questions=[QUESTION])
        for name, secret in SECRETS.items():
            (home / name).write_text(secret)
            (home / name).chmod(0o600)
        self._make_calendars()
        self.configure(poll_every)

    def _make_calendars(self) -> None:
        office = radicale.hands(self.servers.radicale)
        for name in (ANA, CARLA):
            office.make_calendar(f"/ana/{name}/")
        Hands(self.servers.xandikos).make_calendar(f"{HOME}{BRUNO}/")

    def configure(self, poll_every: str, servers: Servers | None = None) -> None:
        """Write the configuration; with `servers` it names what stands between us and those of the town."""
        servers = servers or self.servers
        self.write(
            CONFIGURATION.format(
                url=self.url,
                listen=self.url.removeprefix("http://"),
                poll_every=poll_every,
                scheduler=self.scheduler.url,
                radicale=servers.radicale,
                xandikos=servers.xandikos + HOME[1:],
                question=QUESTION,
                place=PLACE,
                event_type=self.event_type,
            )
        )

    # the command line and the API

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "syncd", "-c", str(self.config), *words]

    def syncd(self, *words: str) -> Done:
        """Run a command as a process of its own."""
        done = subprocess.run(self.command(*words), capture_output=True, text=True, timeout=60, check=False)
        return Done(done.returncode, done.stdout, done.stderr)

    def api(self, method: str, path: str, body: Json | None = None, **headers: str) -> requests.Response:
        sent = {"Authorization": f"Bearer {SECRETS['crm']}", **{k.replace("_", "-"): v for k, v in headers.items()}}
        return requests.request(method, f"{self.url}{path}", json=body, headers=sent, timeout=60)

    def visits(self, **query: str) -> list[Json]:
        """List visits as the API tells them, all pages together."""
        found: list[Json] = []
        after: str | None = ""
        while after is not None:
            given = query | {"limit": "200"} | ({"after": after} if after else {})
            answer = requests.get(
                f"{self.url}/api/visits",
                params=given,
                headers={"Authorization": f"Bearer {SECRETS['crm']}"},
                timeout=30,
            ).json()
            found += answer["items"]
            after = answer["next"]
        return found

    def visit(self, visit_id: str) -> Json:
        found: Json = self.api("GET", f"/api/visits/{visit_id}").json()
        return found

    def order(self, start: datetime, host: str, unit: str) -> Json:
        """Return the body with which an integrator books."""
        return {
            "project": "casas",
            "start": start.isoformat(),
            "host": host,
            "contact": {"name": "Eva Paz", "email": "eva@example.com"},
            "answers": [{"question": QUESTION, "answer": unit}],
        }

    def booked(self, start: datetime, host: str, unit: str) -> Json:
        """Book through the API; it must succeed and reach the calendar."""
        answer = self.api("POST", "/api/visits", self.order(start, host, unit))
        assert answer.status_code == 201, answer.text
        eventually(f"{unit} stands in {host}'s calendar", lambda: self.entries(host, unit))
        found: Json = answer.json()
        return found

    # the scheduler

    @property
    def company(self) -> Company:
        return self.scheduler.company

    def book_there(self, start: datetime, host: str, unit: str) -> str:
        """Book at the scheduler as a client does; returns the invitee. Nobody asks whether the host is free."""
        client = Client("Eva Paz", "eva@example.com", answers=((QUESTION, unit),))
        return self.company.book(self.event_type, start.astimezone(UTC), client, host=self.users[host], force=True)

    def move_there(self, invitee: str, start: datetime, host: str) -> str:
        return self.company.reschedule(invitee, start.astimezone(UTC), host=self.users[host], force=True)

    def delivery(self, name: str, invitee: str) -> bytes:
        """Return the body that the scheduler would post about an invitee now."""
        return json.dumps(self.company.envelope(name, invitee), ensure_ascii=False).encode()

    def post(self, body: bytes, key: str = KEY, path: str = "/hook/calendly") -> int:
        """Post a webhook by hand, signed here; returns the status."""
        stamp = str(int(SystemClock().now().timestamp()))
        digest = hmac.new(key.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/json", "Calendly-Webhook-Signature": f"t={stamp},v1={digest}"}
        return requests.post(f"{self.url}{path}", data=body, headers=headers, timeout=60).status_code

    # the calendars

    def login(self, agent: str) -> tuple[str, str, str]:
        """Return URL, user and password of an agent's calendar."""
        if agent == BRUNO:
            return f"{self.servers.xandikos}{HOME[1:]}{BRUNO}/", "bruno", "nothing"
        return f"{self.servers.radicale}ana/{agent}/", radicale.USER, radicale.PASSWORD

    def agenda(self, agent: str) -> Agenda:
        return Agenda(*self.login(agent))

    def hands(self, agent: str) -> tuple[Hands, str]:
        """Return plain HTTP hands on an agent's calendar, and its path."""
        url, user, password = self.login(agent)
        hands = Hands(url, user, password)
        return hands, hands.base

    def entries(self, agent: str, containing: str = "") -> list[str]:
        """Return the texts of the entries in a calendar, read one by one with GET."""
        hands, path = self.hands(agent)
        texts = [hands.get(one) for one in hands.entries(path)]
        return [one for one in texts if one is not None and containing in one]

    def entry_of(self, agent: str, containing: str) -> tuple[str, str]:
        """Return path and text of the one entry that contains something."""
        hands, path = self.hands(agent)
        texts = [(one, hands.get(one) or "") for one in hands.entries(path)]
        (found,) = [(one, text) for one, text in texts if containing in text]
        return found

    def drag(self, agent: str, containing: str, start: datetime, minutes: int = 20) -> None:
        """Move an entry as the agent's telephone does: the same entry, written again with other times."""
        path, text = self.entry_of(agent, containing)
        for name, at in (("DTSTART", start), ("DTEND", start + timedelta(minutes=minutes))):
            text = with_line(text, name, f"{name}:{stamp(at)}")
        self.hands(agent)[0].put(path, text)

    # what only the store tells

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Look into the store beside the daemon, as an administrator with sqlite3 would."""
        path = self.home / "state" / "syncd.db"
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as plain:
            return plain.execute(sql, values).fetchall()

    # the daemon

    def await_first_reading(self) -> None:
        """Wait until every calendar has been read and the scheduler knows where to post."""
        assert self.syncd("sync").code == 0
        eventually("the scheduler has our address", lambda: [*self.scheduler.api.subscriptions])


@contextmanager
def scheduler() -> Iterator[PracticeServer]:
    """Run a practice scheduler that takes as many calls as come."""
    company = Company(SystemClock())
    company.add_user("Oficina", "oficina@example.com", role="owner", token=SECRETS["calendly-token"])
    server = PracticeServer(company)
    server.api.limit = 1_000_000
    server.start()
    try:
        yield server
    finally:
        server.stop()


def starts_of(text: str) -> list[datetime]:
    """Return when the entries of an iCalendar text begin, as an independent library reads it."""
    found = [one.decoded("DTSTART") for one in Calendar.from_ical(text).walk("VEVENT")]
    return [one.astimezone(UTC) for one in found]
