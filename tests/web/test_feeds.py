"""An agent's own visits as a feed: what the address opens, what stands in it, and that it says nothing else."""

from datetime import timedelta
from pathlib import Path

import pytest
import requests
from icalendar import Calendar

from syncd.core.ids import AgentId
from syncd.web.feeds import FEEDS, feed_token, feed_url
from tests.web.recorder import check_problem
from tests.web.stage import LINK_KEY, Stage, staged

ANA = AgentId("ana")


def fetch(stage: Stage, token: str, **headers: str) -> requests.Response:
    return stage.session.get(f"{stage.url}/feeds/{token}.ics", headers=headers, timeout=20)


def of(stage: Stage, agent: str, generation: int = 1) -> requests.Response:
    return fetch(stage, feed_token(LINK_KEY, agent, generation))


def entries(answer: requests.Response) -> dict[str, str]:
    assert answer.status_code == 200, answer.text
    return {str(one["UID"]): str(one["SUMMARY"]) for one in Calendar.from_ical(answer.content).walk("VEVENT")}


def test_a_feed_holds_the_agent_s_own_visits_and_no_others(tmp_path: Path) -> None:
    with staged(tmp_path) as own:
        mine = own.book(own.a_start(), host="ana")
        waiting = own.book(own.a_start(), host="ana", event_type="larga")
        own.book(own.a_start(), host="beto")
        gone = own.book(own.a_start(), host="ana")
        own.api.post(f"/api/visits/{gone['id']}/cancel", {"by": "client"})
        answer = of(own, "ana")
        assert entries(answer) == {f"visit-{one['id']}@syncd": one["title"] for one in (mine, waiting)}
        assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
        text = answer.text.replace("\r\n ", "")
        assert "Eva Díaz" in text
        assert "12345678" not in text, "neither telephone nor tax id"


def test_an_unchanged_feed_is_304_and_a_changed_one_is_not(tmp_path: Path) -> None:
    with staged(tmp_path) as own:
        visit = own.book(own.a_start(), host="ana")
        token = feed_token(LINK_KEY, "ana", 1)
        mark = fetch(own, token).headers["ETag"]
        own.clock.advance(timedelta(minutes=7))
        same = fetch(own, token, If_None_Match=mark, **{"If-None-Match": f'"x", {mark}'})
        assert (same.status_code, same.content) == (304, b"")
        own.api.post(f"/api/visits/{visit['id']}/move", {"start": own.a_start()})
        assert fetch(own, token, **{"If-None-Match": mark}).status_code == 200


def test_a_new_generation_supersedes_the_address(tmp_path: Path) -> None:
    with staged(tmp_path) as own:
        assert feed_url(own.ctx, LINK_KEY, ANA) == f"http://127.0.0.1/feeds/{feed_token(LINK_KEY, 'ana', 1)}.ics"
        own.store.write(lambda tx: tx.accounts.put(FEEDS, "generation:ana", "2"))
        assert of(own, "ana", 1).status_code == 404
        assert of(own, "ana", 2).status_code == 200
        assert feed_url(own.ctx, LINK_KEY, ANA).endswith(f"/{feed_token(LINK_KEY, 'ana', 2)}.ics")


RIGHT = feed_token(LINK_KEY, "ana", 1)


@pytest.mark.parametrize(
    "token",
    [
        RIGHT + "x",
        RIGHT[:-1],
        RIGHT.swapcase(),
        f"%20{RIGHT}",
        f"{RIGHT}%20",
        f"{RIGHT}%00",
        f"{RIGHT}%2f",
        feed_token(b"another key", "ana", 1),
        feed_token(LINK_KEY, "ana", 2),
        feed_token(LINK_KEY, "nadie", 1),
        "ana",
        "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "ñ",
        "x" * 2_000,
    ],
)
def test_any_other_address_opens_nothing_and_looks_like_every_other(stage: Stage, token: str) -> None:
    answer = fetch(stage, token)
    check_problem(answer)
    assert answer.status_code in (404, 400 if "%00" in token else 404)
    assert answer.status_code == 400 or answer.json() == fetch(stage, "y" * 43).json()


def test_a_token_has_256_bits_and_stands_in_no_table(stage: Stage) -> None:
    assert len(RIGHT) == 43
    tokens = {feed_token(key, agent, n) for key in (b"a", b"b") for agent in ("ana", "beto") for n in (1, 2)}
    assert len(tokens) == 8
    with stage.store.read() as tx:
        assert RIGHT not in str(tx.accounts.get(FEEDS, "generation:ana"))


def test_a_feed_may_be_kept_by_its_reader_alone_and_is_not_written_to(stage: Stage) -> None:
    assert of(stage, "ana").headers["Cache-Control"] == "private, max-age=60"
    for method in ("POST", "PUT", "DELETE", "PROPFIND"):
        assert stage.session.request(method, f"{stage.url}/feeds/{RIGHT}.ics", timeout=20).status_code == 405


def test_names_that_would_break_out_of_the_feed_do_not(tmp_path: Path) -> None:
    with staged(tmp_path) as own:
        evil = "Eva;\\,\u202e ATTENDEE:mailto:x@example.com"
        contact = {"name": evil, "email": "eva@example.com"}
        answers = [{"question": "Lugar", "answer": "patio\nATTENDEE:mailto:x@example.com\nEND:VEVENT"}]
        own.book(own.a_start(), host="ana", contact=contact, answers=answers)
        text = of(own, "ana").text.replace("\r\n ", "")
        assert [line for line in text.splitlines() if line.startswith(("ATTENDEE", "END:VEVENT"))] == ["END:VEVENT"]
        assert "\u202e" not in text
        assert len(entries(of(own, "ana"))) == 1
