"""An installation whose agent lives at a Cyrus or a sabre/dav: booked, moved, cancelled, blocked, and quiet."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.office import Done, Office
from tests.e2e.town import PLACE, eventually, monday, starts_of
from tests.programs import needs
from tests.servers import cyrus as cyrus_dav
from tests.servers import sabre as sabre_dav
from tests.servers.cyrus import Cyrus, cyrus
from tests.servers.dav import Hands, event
from tests.servers.proxy import Passage, between
from tests.servers.sabre import Sabre, sabre

CONFIGURATION = """\
[daemon]
public_url = "{ours}"
listen = "{listen}"
state_dir = "state"
time_zone = "America/Santiago"

[sync]
poll_every = "6h"

[accounts.oficina]
kind = "caldav"
url = "{url}"
username = "{user}"
password = {{ file = "password" }}

[[agents]]
id = "ana"
name = "Ana Soto"
email = "ana@inmobiliaria.example"
hours = "siempre"
calendars = [{{ account = "oficina", calendar = "visitas", role = "publish" }}]

[[agents]]
id = "bruno"
name = "Bruno Rojas"
email = "bruno@inmobiliaria.example"
hours = "siempre"
calendars = [{{ account = "oficina", calendar = "bruno", role = "publish" }}]

[hours.siempre]
weekly.mon = ["09:00-18:00"]
weekly.tue = ["09:00-18:00"]

[event_types.visita]
name = "Visita"
duration = "20m"
minimum_notice = "1h"
window = "60d"
title = "Visita {{{{ proyecto }}}}"

[projects.casas]
name = "Casas PlanOK"
address = "{place}"
team = ["ana", "bruno"]
event_types = {{ standard = "visita" }}
"""


class PeerTown(Office):
    """Two agents who share one login at one server; what passes between the daemon and the server is counted."""

    def __init__(self, home: Path, server: Cyrus | Sabre, passage: Passage, password: str) -> None:
        super().__init__(home, lambda: ("", ""))
        self.server, self.passage = server, passage
        self.user = server.new_user()
        self.place = f"{server.home(self.user)}visitas/"
        self.hands: Hands = server.hands(self.user)
        self.beside = f"{server.home(self.user)}bruno/"
        for place in (self.place, self.beside):
            self.hands.make_calendar(place)
        # Something stays: a calendar that is suddenly empty is doubted where no server says what was deleted.
        self.hands.put(f"{self.place}gimnasio.ics", event(monday(17), monday(18), title="Gimnasio"))
        self.set_password(password)
        told = {"ours": self.url, "listen": self.url.removeprefix("http://"), "place": PLACE}
        self.write(CONFIGURATION.format(url=passage.url, user=self.user, **told))

    def set_password(self, password: str) -> None:
        (self.home / "password").write_text(password)
        (self.home / "password").chmod(0o600)

    def visits(self, place: str = "") -> list[str]:
        """Return the texts of our entries in a calendar, in Ana's where no other is meant."""
        found = [self.hands.get(one) for one in self.hands.entries(place or self.place)]
        return [one for one in found if one is not None and "SUMMARY:Visita Casas PlanOK" in one]

    def syncd(self, *words: str) -> Done:
        """Run a command as a process of its own."""
        command = [sys.executable, "-m", "syncd", "-c", str(self.config), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        return Done(done.returncode, done.stdout, done.stderr)

    def sync(self) -> list[str]:
        """Let every calendar be polled once and wait until all is done; return what was asked of the server."""
        self.passage.requests.clear()
        done = self.syncd("sync")
        assert done.code == 0, done
        return list(self.passage.requests)

    def booked(self, start: datetime) -> str:
        """Book through the command line; return the visit, which stands in the calendar."""
        before = len(self.visits())
        visit = str(self.book(start, "--host", "ana")["id"])
        eventually("the visit stands there", lambda: len(self.visits()) == before + 1)
        return visit

    def reason(self, start: datetime) -> str | None:
        """Return why the agent may not be booked at a time, None where she may."""
        hosts = self.json("explain-slot", "casas", start.isoformat())["hosts"]
        (host,) = [one for one in hosts if one["host"] == "ana"]
        found: str | None = host["reason"]
        return found


@contextmanager
def town_at(server: Cyrus | Sabre, home: Path, password: str) -> Iterator[PeerTown]:
    with between(server.url) as passage:
        town = PeerTown(home, server, passage, password)
        with town.daemon():
            town.sync()
            yield town


@contextmanager
def serving(kind: str, folder: Path) -> Iterator[tuple[Cyrus | Sabre, str]]:
    """Run a server of a kind; yield it and the password of its users."""
    if kind == "cyrus":
        with cyrus() as strict:
            yield strict, cyrus_dav.PASSWORD
    else:
        autoload = sabre_dav.debian() if kind == "old sabre" else sabre_dav.LATER
        with sabre(folder, autoload) as lax:
            yield lax, sabre_dav.PASSWORD


LATER = pytest.mark.skipif(not sabre_dav.LATER, reason=sabre_dav.REMEDY)
KINDS = [
    pytest.param("cyrus", marks=needs("cyrus")),
    pytest.param("old sabre", marks=needs("sabre")),
    pytest.param("sabre", marks=LATER),
]


@pytest.fixture(scope="module", params=KINDS)
def town(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PeerTown]:
    home = tmp_path_factory.mktemp("town")
    (home / "files").mkdir()
    with serving(request.param, home / "files") as (server, password), town_at(server, home, password) as found:
        yield found


def test_a_visit_is_booked_moved_and_cancelled_in_the_calendar(town: PeerTown) -> None:
    visit = town.booked(monday(9))
    (text,) = town.visits()
    assert starts_of(text) == [monday(9).astimezone(UTC)]
    assert town.syncd("visits", "move", visit, "--start", monday(11).isoformat()).code == 0
    eventually("it moved", lambda: [starts_of(one) for one in town.visits()] == [[monday(11).astimezone(UTC)]])
    town.sync()
    assert [starts_of(one) for one in town.visits()] == [[monday(11).astimezone(UTC)]], "once, and as moved"
    assert town.syncd("visits", "cancel", visit).code == 0
    eventually("it is gone", lambda: not town.visits())
    assert town.syncd("plan").code == 0


def test_a_visit_that_changes_hands_moves_to_the_other_calendar_of_the_login(town: PeerTown) -> None:
    visit = town.booked(monday(13))
    assert town.syncd("visits", "reassign", visit, "--host", "bruno").code == 0
    eventually("it changed hands", lambda: len(town.visits(town.beside)) == 1 and not town.visits())
    town.sync()
    assert town.syncd("plan").code == 0
    (text,) = town.visits(town.beside)
    assert starts_of(text) == [monday(13).astimezone(UTC)]
    assert town.syncd("visits", "cancel", visit).code == 0
    eventually("it is gone", lambda: not town.visits(town.beside))


def test_an_event_of_another_client_takes_the_time_within_one_poll_and_gives_it_back(town: PeerTown) -> None:
    start = monday(14)
    assert town.reason(start) is None
    town.hands.put(f"{town.place}dentista.ics", event(start, start + timedelta(hours=1)))
    town.sync()
    assert town.reason(start) == "busy"
    town.hands.delete(f"{town.place}dentista.ics")
    town.sync()
    assert town.reason(start) is None


def test_a_quiet_cycle_is_one_request_and_the_plan_is_empty(town: PeerTown) -> None:
    visit = town.booked(monday(9, days=1))
    town.sync()
    town.sync()
    for _ in range(3):
        assert town.sync() == [f"PROPFIND {town.server.home(town.user)}"]
    plan = town.syncd("plan", "--json")
    assert (plan.code, plan.json) == (0, [])
    assert town.syncd("visits", "cancel", visit).code == 0
    eventually("it is gone", lambda: not town.visits())


def test_what_changed_while_the_server_forgot_its_places_is_all_seen(town: PeerTown) -> None:
    first, second = monday(15), monday(16)
    town.hands.put(f"{town.place}primero.ics", event(first, first + timedelta(minutes=30)))
    town.sync()
    assert town.reason(first) == "busy"
    town.hands.delete(f"{town.place}primero.ics")
    town.server.forget()
    town.hands.put(f"{town.place}segundo.ics", event(second, second + timedelta(minutes=30)))
    town.sync()
    assert (town.reason(first), town.reason(second)) == (None, "busy")
    town.hands.delete(f"{town.place}segundo.ics")


def test_a_password_that_changed_stops_the_account_and_takes_nothing_away(town: PeerTown) -> None:
    """The last test of the town: it stays without its login."""
    visit = town.booked(monday(12, days=1))
    town.server.set_password(town.user, "otra")
    town.syncd("sync")
    accounts = {one["account"]: one for one in town.json("status")["accounts"]}
    assert accounts["oficina"]["state"] == "login refused", accounts
    assert town.json("visits", "show", visit)["state"] == "confirmed"
    town.passage.requests.clear()
    town.syncd("sync")
    assert len(town.passage.requests) <= 1, "nobody hammers at a door that is shut"
