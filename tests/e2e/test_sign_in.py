"""A login that dies at Google while the daemon runs: one alert, a queue that waits, and `syncd auth` that ends it."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import requests

from tests.e2e.test_providers import ANA, Desk
from tests.e2e.town import eventually, monday
from tests.servers.google import Google, serving
from tests.servers.google_token import client_file

ACCOUNT = """\

[accounts.google]
kind = "google"
client = {{ file = "client.json" }}
api_url = "{google}"
"""


@pytest.fixture
def google() -> Iterator[Google]:
    with serving() as state:
        yield state


@pytest.fixture
def office(google: Google, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    home = tmp_path_factory.mktemp("desk")
    (home / "client.json").write_text(client_file(google.url))
    (home / "client.json").chmod(0o600)
    google.make_calendar(ANA, ANA)
    office = Desk(home, lambda: ("", ""), poll_every="1s")
    office.write(office.config.read_text() + ACCOUNT.format(google=google.url))
    office.change('email = "ana@a.example"', f'email = "{ANA}"')
    office.change('account = "embedded", calendar = "ana/visits"', f'account = "google", calendar = "{ANA}"')
    with ExitStack() as stack:
        stack.enter_context(office.daemon())
        yield office


def sign_in(office: Desk) -> str:
    """Sign in as a person does: run the command, open the address it prints, agree."""
    command = [sys.executable, "-m", "syncd", "-c", str(office.config), "auth", "google"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None and process.stdout is not None
        address = next(found[0] for line in process.stderr if (found := re.findall(r"https?://\S+", line)))
        answer = requests.get(address, timeout=30)
        assert answer.status_code == 200, answer.text
        said = process.stdout.read()
        rest = process.stderr.read()
        assert process.wait(30) == 0, rest
    return said


def bookable(office: Desk, agent: str) -> bool:
    rows = {one["agent"]: one for one in office.json("status")["agents"]}
    return bool(rows[agent]["bookable"])


def alerts(office: Desk) -> list[str]:
    return [one["kind"] for one in office.json("status")["alerts"]]


def test_a_revoked_login_alerts_once_keeps_the_queue_and_resumes_after_auth(office: Desk, google: Google) -> None:
    assert not bookable(office, "ana") and bookable(office, "bruno"), "nobody has signed in yet"
    assert "google is signed in" in sign_in(office)
    eventually("ana can be booked", lambda: bookable(office, "ana"))
    office.book(monday(10), "--host", "ana")
    shelf = google.shelves[ANA]
    eventually("it stands at Google", lambda: len(shelf.events) == 1)

    google.desk.refresh.clear()
    google.desk.revoke_access()
    eventually("somebody is told", lambda: "sign_in" in alerts(office))
    office.book(monday(12), "--host", "ana")
    asked = len(google.desk.asked)
    assert alerts(office).count("sign_in") == 1 and len(shelf.events) == 1

    assert "google is signed in" in sign_in(office)
    eventually("what waited is written", lambda: len(shelf.events) == 2)
    eventually("the alert is closed", lambda: "sign_in" not in alerts(office))
    assert len(google.desk.asked) >= asked and bookable(office, "ana")
    assert "1//refresh" not in (office.home / "state" / "syncd.db").read_bytes().decode("latin-1")


def test_signing_in_where_nobody_can_is_said_plainly(office: Desk) -> None:
    done = office.syncd("auth", "embeded")
    assert done.code == 2 and "google" in done.err
