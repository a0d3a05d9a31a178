"""Deliveries posted by hand with an HTTP client of somebody else, signed here: once is enough, and only signed ones."""

from concurrent.futures import ThreadPoolExecutor

import requests

from syncd.practice_calendly import Fault
from tests.e2e.town import ANA, Town, eventually, monday

UNHEARD = "otra-clave"


def held(town: Town, unit: str, hour: int) -> tuple[str, bytes]:
    """Book at the scheduler without its saying so; return the invitee and what it would have said."""
    courier = town.scheduler.courier
    courier.switches.drop = 1
    invitee = town.book_there(monday(hour, days=1), ANA, unit)
    assert courier.switches.drop == 0, "the message was to be lost"
    return invitee, town.delivery("invitee.created", invitee)


def rows_of(town: Town, invitee: str) -> list[tuple[str, int]]:
    """Return state and repeats of what is kept about an invitee."""
    listed = town.json("deliveries", "list")
    return [(one["state"], one["repeats"]) for one in listed if any(invitee in key for _, key in one["touches"])]


def test_a_delivery_posted_twice_and_five_times_at_once_is_one_row_and_one_visit(hooked: Town) -> None:
    invitee, body = held(hooked, "mano-1", 9)
    assert [hooked.post(body), hooked.post(body)] == [204, 204]
    with ThreadPoolExecutor(5) as pool:
        assert list(pool.map(lambda _: hooked.post(body), range(5))) == [204] * 5
    assert hooked.syncd("sync").code == 0
    assert rows_of(hooked, invitee) == [("done", 6)]
    assert len(hooked.entries(ANA, "mano-1")) == 1
    assert [one["state"] for one in hooked.visits() if one["source"]["id"] == invitee] == ["confirmed"]


def test_a_delivery_with_another_signature_is_401_and_leaves_no_trace(hooked: Town) -> None:
    invitee, body = held(hooked, "mano-2", 11)
    before = hooked.rows("SELECT count(*) FROM inbox")
    assert hooked.post(body, key=UNHEARD) == 401
    unsigned = requests.post(f"{hooked.url}/hook/calendly", data=body, timeout=10)
    assert unsigned.status_code == 401
    assert unsigned.headers["content-type"] == "application/problem+json"
    tampered = body.replace(b"mano-2", b"mano-3")
    assert tampered != body
    assert hooked.post(tampered) == 204, "signed as it is, it is a delivery: what it says is not applied"
    assert hooked.syncd("sync").code == 0
    assert len(hooked.rows("SELECT 1 FROM inbox")) == before[0][0] + 1
    assert len(hooked.entries(ANA, "mano-2")) == 1, "the visit is as the scheduler has it, whatever the delivery says"
    assert not hooked.entries(ANA, "mano-3")
    assert [one["answers"][0]["answer"] for one in hooked.visits() if one["source"]["id"] == invitee] == ["mano-2"]


def test_an_account_that_is_not_there_is_404(hooked: Town) -> None:
    assert hooked.post(b"{}", path="/hook/nadie") == 404


def test_signed_garbage_is_acknowledged_and_listed_as_dead(hooked: Town) -> None:
    before = {one["id"] for one in hooked.json("deliveries", "list", "--state", "dead")}
    for garbage in (b'{"event": "invitee.created", "payload"', b"\xff\xfe\x00", b'{"event": "invitee.created"}'):
        assert hooked.post(garbage) == 204
    dead = [one for one in hooked.json("deliveries", "list", "--state", "dead") if one["id"] not in before]
    assert len(dead) == 3 and all(one["error"] for one in dead)
    shown = hooked.syncd("deliveries", "list", "--state", "dead")
    assert shown.code == 0 and all(one["id"] in shown.out for one in dead)
    refused = hooked.syncd("replay", dead[0]["id"])
    assert refused.code == 1 and "names nothing" in refused.err and "Traceback" not in refused.err


def test_a_dead_letter_is_replayed_once_its_cause_is_gone(hooked: Town) -> None:
    """The scheduler refuses to tell of the booking until the work is given up; then it does, and a replay mends all."""
    invitee, body = held(hooked, "mano-4", 13)
    place = invitee.removeprefix("https://api.calendly.com")
    cause = Fault("403", match=f"GET {place}", times=1000)
    hooked.scheduler.faults.append(cause)
    assert hooked.post(body) == 204
    eventually("the delivery is a dead letter", lambda: rows_of(hooked, invitee) == [("dead", 0)])
    assert not hooked.entries(ANA, "mano-4")
    hooked.scheduler.faults.remove(cause)
    (row,) = [
        one
        for one in hooked.json("deliveries", "list", "--state", "dead")
        if any(invitee in key for _, key in one["touches"])
    ]
    for _ in range(2):
        assert hooked.syncd("replay", row["id"]).code == 0
        assert hooked.syncd("sync").code == 0
        assert len(hooked.entries(ANA, "mano-4")) == 1
    assert rows_of(hooked, invitee) == [("done", 0)]
