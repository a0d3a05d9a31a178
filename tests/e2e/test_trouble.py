"""The daemon is killed, its disk is full, its configuration is spoilt: nothing acknowledged is lost or doubled."""

import resource
import signal
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import requests

from tests.cli.office import Running
from tests.e2e.conftest import MakeTown
from tests.e2e.town import ANA, BRUNO, KEY, Town, eventually, monday

BURST = 24


@pytest.fixture
def town(make_town: MakeTown) -> Town:
    """A town whose daemon each test starts itself."""
    return make_town("6h")


def try_post(town: Town, body: bytes) -> int:
    """Post by hand; 0 where nobody answers any more."""
    try:
        return town.post(body)
    except requests.RequestException:
        return 0


def test_f1_killed_in_the_middle_of_a_burst_it_loses_and_doubles_nothing(town: Town) -> None:
    units = [f"rafaga-{number:02}" for number in range(BURST)]
    with town.daemon() as daemon:
        town.await_first_reading()
        town.scheduler.courier.switches.drop = BURST
        places = [(monday(9) + timedelta(minutes=30 * (n // 2)), (ANA, BRUNO)[n % 2]) for n in range(BURST)]
        invitees = [town.book_there(start, host, unit) for (start, host), unit in zip(places, units, strict=True)]
        bodies = [town.delivery("invitee.created", one) for one in invitees]
        with ThreadPoolExecutor(4) as pool:
            said = []
            for status in pool.map(lambda body: try_post(town, body), bodies):
                said.append(status)
                if len(said) == BURST // 3:
                    daemon.process.kill()
        assert daemon.process.wait(10) == -signal.SIGKILL
    assert {*said} == {204, 0}, "some were acknowledged, some met nobody"
    acknowledged = [one for one, status in zip(invitees, said, strict=True) if status == 204]
    kept = {key for (key,) in town.rows("SELECT touch_key FROM inbox_touch")}
    assert all(any(one in key for key in kept) for one in acknowledged)
    with town.daemon():
        assert town.syncd("sync").code == 0
        for body, status in zip(bodies, said, strict=True):
            assert status == 204 or town.post(body) == 204
        assert town.syncd("sync").code == 0
        visits = Counter(one["source"]["id"] for one in town.visits() if one["state"] == "confirmed")
        assert visits == Counter(invitees)
        texts = [*town.entries(ANA), *town.entries(BRUNO)]
        assert Counter(unit for text in texts for unit in units if unit in text) == Counter(units)
        assert town.syncd("plan").code == 0


def limit_files(daemon: Running, most: int) -> None:
    """Let no file of the daemon grow, or be written, beyond so many bytes: what a full disk looks like (F24)."""
    resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))


def test_f24_a_full_disk_is_503_without_an_acknowledgement_and_ends_when_there_is_room(town: Town) -> None:
    with town.daemon() as daemon:
        town.await_first_reading()
        visit = town.booked(monday(9), ANA, "antes")
        town.scheduler.courier.switches.drop = 1
        invitee = town.book_there(monday(11), ANA, "lleno")
        body = town.delivery("invitee.created", invitee)
        limit_files(daemon, 1)
        assert [town.post(body) for _ in range(3)] == [503] * 3
        refused = town.api("POST", "/api/visits", town.order(monday(13), ANA, "tampoco"))
        assert refused.status_code == 503 and refused.headers["content-type"] == "application/problem+json"
        assert town.visit(visit["id"])["state"] == "confirmed", "reading goes on"
        assert requests.get(f"{town.url}/healthz", timeout=10).status_code == 200
        limit_files(daemon, resource.RLIM_INFINITY)
        kept = "SELECT count(*) FROM inbox WHERE CAST(body AS TEXT) LIKE '%lleno%'"
        assert town.rows(kept) == [(0,)]
        assert town.post(body) == 204
        assert town.rows(kept) == [(1,)]
        eventually("the visit stands in the calendar", lambda: town.entries(ANA, "lleno"))
        assert town.api("POST", "/api/visits", town.order(monday(13), ANA, "ahora")).status_code == 201
        assert town.syncd("sync").code == 0
        assert [len(town.entries(ANA, one)) for one in ("antes", "lleno", "ahora", "tampoco")] == [1, 1, 1, 0]


def test_f45_a_spoilt_configuration_keeps_the_old_one_at_work_and_a_good_one_takes_its_place(town: Town) -> None:
    good = town.config.read_text()
    with town.daemon() as daemon:
        town.await_first_reading()
        town.write(good.replace('team = ["ana", "bruno", "carla"]', 'team = ["ana", "brono"]'))
        daemon.process.send_signal(signal.SIGHUP)
        daemon.await_word("RELOADING=1")
        assert "the old configuration stays" in daemon.await_word("READY=1")
        refusal = [one for one in daemon.lines() if one["action"] == "reload_refused"]
        assert any("brono" in one["message"] and "config.toml:" in one["message"] for one in refusal)
        town.book_there(monday(9), BRUNO, "sigue")
        eventually("bookings go on under the old one", lambda: town.entries(BRUNO, "sigue"))
        (town.home / "calendly-key").write_text("otra-clave-larga-para-firmar")
        town.write(good)
        daemon.process.send_signal(signal.SIGHUP)
        daemon.await_word("RELOADING=1")
        daemon.await_word("READY=1")
        body = town.delivery("invitee.created", town.book_there(monday(11), BRUNO, "clave"))
        assert town.post(body, key=KEY) == 401, "the key of before is no longer among those named"
        assert town.post(body, key="otra-clave-larga-para-firmar") == 204
