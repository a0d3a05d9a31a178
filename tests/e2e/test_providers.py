"""The real daemon with an agent at Google and one at Outlook: visits arrive there, pushes come back, logins may die."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import requests

from syncd.clock import SystemClock
from syncd.core.interval import Interval
from tests.cli.office import Done, Office
from tests.e2e.town import eventually, monday
from tests.servers.google import Google, serving
from tests.servers.google_store import Shelf
from tests.servers.google_token import key_file
from tests.servers.graph import GraphServer, graph_server
from tests.servers.graph_mailbox import Box
from tests.servers.graph_sign_in import CLIENT, SECRET, TENANT

ANA, BETO = "ana@example.cl", "beto@oficina.example"
ACCOUNTS = """\

[accounts.google]
kind = "google"
service_account = {{ file = "google.json" }}
api_url = "{google}"

[accounts.outlook]
kind = "outlook"
tenant = "{tenant}"
client_id = "{client}"
client_secret = {{ file = "outlook" }}
authority = "{graph}"
api_url = "{graph}/v1.0"
"""


class Desk(Office):
    """An office whose commands run as processes of their own."""

    def syncd(self, *words: str) -> Done:
        command = [sys.executable, "-m", "syncd", "-c", str(self.config), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        return Done(done.returncode, done.stdout, done.stderr)


@dataclass
class Firm:
    """Ana at Google, Bruno at Outlook, and the daemon between them."""

    office: Office
    google: Google
    shelf: Shelf
    graph: GraphServer
    box: Box

    def titles(self, agent: str) -> list[str]:
        if agent == "ana":
            return [one["summary"] for one in self.shelf.events.values() if one["status"] != "cancelled"]
        return [one["subject"] for one in self.box.events.values()]

    def starts(self) -> set[datetime]:
        """Return the starts that somebody may book in the week of the stories."""
        window = {"from": monday(0).isoformat(), "to": monday(0, days=5).isoformat(), "project": "casas"}
        headers = {"Authorization": "Bearer a-token-of-thirty-two-characters"}
        answer = requests.get(f"{self.office.url}/api/slots", params=window, headers=headers, timeout=30)
        assert answer.status_code == 200, answer.text
        return {datetime.fromisoformat(one["start"]) for one in answer.json() if one["hosts_free"] == 2}


@pytest.fixture(scope="module")
def firm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firm]:
    with ExitStack() as stack:
        google = stack.enter_context(serving())
        graph = stack.enter_context(graph_server(handshake=True))
        shelf, box = google.make_calendar(ANA, ANA), graph.box(BETO)
        home = tmp_path_factory.mktemp("firm")
        _write(home / "google.json", json.dumps(json.loads(key_file(f"{google.url}/token"))))
        _write(home / "outlook", SECRET)
        office = Desk(home, lambda: ("", ""), poll_every="6h")
        accounts = ACCOUNTS.format(google=google.url, graph=graph.url, tenant=TENANT, client=CLIENT)
        office.write(office.config.read_text() + accounts)
        office.change('email = "ana@a.example"', f'email = "{ANA}"')
        office.change('email = "bruno@a.example"', f'email = "{BETO}"')
        office.change('account = "embedded", calendar = "ana/visits"', f'account = "google", calendar = "{ANA}"')
        office.change('account = "embedded", calendar = "bruno/visits"', f'account = "outlook", calendar = "{BETO}"')
        stack.enter_context(office.daemon())
        made = Firm(office, google, shelf, graph, box)
        eventually("both can be booked", lambda: monday(10) in made.starts())
        eventually("both are watched", lambda: google.channels and graph.api.subscriptions)
        yield made
        assert google.wrong == []


def _write(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)


@pytest.mark.parametrize("agent", ["ana", "bruno"])
def test_a_visit_stands_in_the_agents_own_calendar(firm: Firm, agent: str) -> None:
    visit = firm.office.book(monday(11), "--host", agent)
    eventually("it stands there", lambda: firm.titles(agent) == ["Visita Casas PlanOK"])
    firm.office.json("visits", "cancel", visit["id"], "--by", "staff")
    eventually("it is gone", lambda: firm.titles(agent) == [])


def test_an_event_at_google_blocks_as_soon_as_google_tells(firm: Firm) -> None:
    start = monday(14)
    eventually("the slot is open", lambda: start in firm.starts())
    firm.google.deliver()
    mine = firm.shelf.add(start, start + timedelta(hours=1), summary="Dentista")
    firm.google.changed(firm.shelf)
    assert firm.google.deliver() == [204]
    eventually("the slot is closed", lambda: start not in firm.starts())
    firm.shelf.delete(mine)
    firm.google.changed(firm.shelf)
    assert firm.google.deliver() == [204]
    eventually("the slot is open again", lambda: start in firm.starts())


def test_an_event_at_outlook_blocks_as_soon_as_graph_tells(firm: Firm) -> None:
    start = monday(15)
    eventually("the slot is open", lambda: start in firm.starts())
    mine = firm.box.add(Interval(start, start + timedelta(hours=1)), "Dentista", "")
    assert firm.graph.notify(_notice(firm)) in (202, 204)
    eventually("the slot is closed", lambda: start not in firm.starts())
    firm.box.remove(mine)
    assert firm.graph.notify(_notice(firm)) in (202, 204)
    eventually("the slot is open again", lambda: start in firm.starts())


def test_a_notice_with_a_wrong_state_or_of_an_unknown_channel_touches_nothing(firm: Firm) -> None:
    wrong = _notice(firm) | {"clientState": "guessed"}
    unknown = _notice(firm) | {"subscriptionId": "00000000-0000-0000-0000-000000000000"}
    assert firm.graph.notify(wrong, unknown) == 204
    (channel, *_) = firm.google.channels.values()
    forged = firm.google.notice(channel) | {"X-Goog-Channel-Token": "guessed"}
    assert requests.post(channel.address, headers=forged, timeout=10).status_code == 204
    metrics = requests.get(f"{firm.office.url}/metrics", timeout=10).text
    assert 'outcome="ignored"' in metrics


def test_doctor_and_status_know_both(firm: Firm) -> None:
    rows = firm.office.json("status")
    states = {one["account"]: one["state"] for one in rows["accounts"]}
    assert states["google"] == states["outlook"] == "ok"
    checked = firm.office.syncd("check-config", "--online")
    assert checked.code == 0, checked.out


def _notice(firm: Firm) -> dict[str, object]:
    (subscription,) = firm.graph.api.subscriptions.values()
    return {
        "subscriptionId": subscription["id"],
        "clientState": subscription["clientState"],
        "changeType": "updated",
        "resource": f"Users/{BETO}/Events/x",
        "tenantId": TENANT,
        "subscriptionExpirationDateTime": SystemClock().now().isoformat(),
    }
