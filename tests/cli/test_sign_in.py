"""S17: a dead login fails closed and speaks once; when it works again what waited is done, once each. Real Radicale."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from requests.auth import HTTPBasicAuth

from tests.cli.office import Office, next_monday
from tests.servers.radicale import PASSWORD, USER, radicale

MONDAY = next_monday()
AUTH = HTTPBasicAuth(USER.encode(), PASSWORD.encode())
SECRET = f"password = '{PASSWORD}'"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "radicale"
    folder.mkdir()
    with radicale(folder) as url:
        made = requests.request("MKCALENDAR", f"{url}{USER}/agenda/", auth=AUTH, timeout=10)
        assert made.status_code == 201
        yield url


@pytest.fixture
def linked(office: Office, server: str) -> Office:
    """Give an office where Bruno's visits go to a server of his own."""
    account = f'[accounts.propio]\nkind = "caldav"\nurl = "{server}"\nusername = "{USER}"\n{SECRET}\n\n'
    office.change('[[agents]]\nid = "ana"', f'{account}[[agents]]\nid = "ana"')
    office.change('account = "embedded", calendar = "bruno/visits"', 'account = "propio", calendar = "agenda"')
    return office


def entries(server: str) -> int:
    url = f"{server}{USER}/agenda/"
    answer = requests.request("PROPFIND", url, headers={"Depth": "1"}, auth=AUTH, timeout=10)
    return answer.text.count(".ics</")


def alerts(office: Office, kind: str) -> list[str]:
    with office.installed() as installed, installed.context.store.read() as tx:
        return [one.state for one in tx.queue.notices(channel="alert", about="propio") if one.kind == kind]


def agents(office: Office) -> dict[str, bool]:
    return {one["agent"]: one["bookable"] for one in office.json("status")["agents"]}


def test_a_login_refused_from_the_start_closes_its_agent_alone_and_opens_when_mended(linked: Office) -> None:
    linked.change(SECRET, 'password = "falsa"')
    assert linked.syncd("sync", "--once").code == 1
    assert agents(linked) == {"ana": True, "bruno": False}
    linked.change('password = "falsa"', SECRET)
    assert linked.syncd("sync").code == 0
    assert agents(linked) == {"ana": True, "bruno": True}


def test_a_login_that_dies_is_said_once_and_what_waits_is_done_once_it_works_again(linked: Office, server: str) -> None:
    assert linked.syncd("sync").code == 0
    visit = linked.book(MONDAY, "--host", "bruno")
    linked.change(SECRET, 'password = "falsa"')
    for _ in range(3):
        done = linked.syncd("sync", "--once")
        assert done.code == 1
        assert "propio: login refused" in done.err
    account = next(one for one in linked.json("status")["accounts"] if one["account"] == "propio")
    assert account["state"] == "login refused" and account["error"]
    assert alerts(linked, "sign_in") == ["open"], "one alert, not one per cycle"
    assert "reload" in linked.syncd("status").out, "the alert says what helps"
    assert [one["subject"] for one in linked.json("plan")] == [f"visit:{visit['id']}"], "nothing of Bruno's is given up"
    assert linked.json("visits", "show", visit["id"])["state"] == "confirmed"
    assert entries(server) == 0

    linked.change('password = "falsa"', SECRET)
    for _ in range(2):
        assert linked.syncd("sync").code == 0
    assert entries(server) == 1
    assert linked.json("plan") == []
    assert alerts(linked, "sign_in") == ["closed"]
    assert len(alerts(linked, "sign_in_recovered")) == 1


def test_a_running_daemon_tries_a_mended_login_at_a_reload(linked: Office, server: str) -> None:
    linked.change(SECRET, 'password = "falsa"')
    with linked.daemon() as daemon:
        assert linked.syncd("sync", "--once").code == 1
        linked.change('password = "falsa"', SECRET)
        daemon.process.send_signal(signal.SIGHUP)
        daemon.await_word("RELOADING=1")
        daemon.await_word("READY=1")
        assert linked.syncd("sync").code == 0
        assert agents(linked)["bruno"]
        linked.book(MONDAY, "--host", "bruno")
        assert linked.syncd("sync").code == 0
    assert entries(server) == 1
