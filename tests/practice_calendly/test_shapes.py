"""The practice scheduler is judged by payloads that we did not write: the same keys, the same types, at every depth."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests

from syncd.practice_calendly import Client
from tests.connectors.shared import published
from tests.servers.calendly import MONDAY, TOKEN, Practice, practice

Json = dict[str, Any]

# Nullable in the published schema; no published example is the last page of a listing that has tokens.
LAST_PAGE = {"pagination": {"next_page_token": None, "previous_page": None, "previous_page_token": None}}


@pytest.fixture
def stand() -> Iterator[Practice]:
    with practice() as running:
        yield running


def get(stand: Practice, path: str, **query: str) -> Any:
    return ask(stand, "GET", path, params=query)


def ask(stand: Practice, method: str, path: str, **more: Any) -> Any:
    """Ask as any client would; addresses of Calendly are asked at the practice server."""
    url = stand.server.url + path.removeprefix("https://api.calendly.com")
    answer = requests.request(method, url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10, **more)
    return answer.json()


def places(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield (path, type) of everything inside a value; the items of a list share one path."""
    yield path, type(value).__name__
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for inner in value:
            yield from places(inner, f"{path}[]")


def missing(example: Any, given: Any, path: str = "") -> Iterator[str]:
    """Yield the keys that an example has and the given value has not."""
    if isinstance(example, dict) and isinstance(given, dict):
        for key, inner in example.items():
            if key not in given:
                yield f"{path}.{key}"
            else:
                yield from missing(inner, given[key], f"{path}.{key}")
    elif isinstance(example, list) and isinstance(given, list) and example and given:
        yield from missing(example[0], given[0], f"{path}[]")


def judge(given: Any, example: Any, *others: Any, free: tuple[str, ...] = ()) -> None:
    """Every key of the example is there; no key and no type that none of the published ones has.

    `free` names parts whose keys depend on their kind (a location is not the same for a call and a house).
    """
    lacking = [one for one in missing(example, given) if not one.startswith(free)]
    assert not lacking, f"published, and not given: {lacking}"
    allowed: dict[str, set[str]] = {}
    for one in (example, *others):
        for path, kind in places(one):
            allowed.setdefault(path, set()).add(kind)
    strange = {(path, kind) for path, kind in places(given) if kind not in allowed.get(path, ())}
    assert not strange, f"given, and never published: {sorted(strange)}"


def example(name: str) -> Any:
    return published(f"calendly/calendly_{name}.json")


def listing_of(resource: Json) -> Json:
    """Turn a published single answer into a listing, to widen what a listing may hold."""
    return {"collection": [resource["resource"]]}


def test_the_judge_finds_what_is_missing_strange_or_of_another_type() -> None:
    judge({"a": [{"b": 1}]}, {"a": [{"b": 2}]})
    damaged: list[Json] = [{"a": [{}]}, {"a": [{"b": "1"}]}, {"a": [{"b": 1, "c": 1}]}, {}, {"a": None}]
    for wrong in damaged:
        with pytest.raises(AssertionError):
            judge(wrong, {"a": [{"b": 2}]})


def test_users_me(stand: Practice) -> None:
    judge(get(stand, "/users/me"), example("api_users_me"))


def test_memberships(stand: Practice) -> None:
    first = example("api_org_memberships_list")
    given = get(stand, "/organization_memberships", organization=stand.company.organization)
    judge(given, first, example("api_org_memberships_docs"), LAST_PAGE)
    assert len(given["collection"]) == 3


def test_event_types(stand: Practice) -> None:
    docs, recorded = example("api_event_types_docs"), example("api_event_types_list")
    team = listing_of(example("api_event_type_team_collective"))
    given = get(stand, "/event_types", organization=stand.company.organization)
    judge(given, docs, recorded, team, listing_of(example("api_event_type_many_questions")), LAST_PAGE)


def test_event_type(stand: Practice) -> None:
    docs = {"resource": example("api_event_types_docs")["collection"][0]}
    team = example("api_event_type_team_collective")
    judge(get(stand, stand.visit), team, docs)


def test_available_times(stand: Practice) -> None:
    start, end = MONDAY.isoformat(), (MONDAY + timedelta(days=2)).isoformat()
    given = get(stand, "/event_type_available_times", event_type=stand.visit, start_time=start, end_time=end)
    judge(given, example("api_event_type_available_times"))
    assert given["collection"]


def test_scheduled_events(stand: Practice) -> None:
    stand.book(10, host=stand.ana)
    cancelled = stand.book(12, host=stand.ana)
    stand.company.cancel(cancelled, reason="ill")
    buffered = example("api_scheduled_event_2025_buffered")["resource"]
    first = example("api_scheduled_events_docs")
    given = get(stand, "/scheduled_events", organization=stand.company.organization)
    for one in given["collection"]:
        one.pop("cancellation", None)
    others = [example(f"api_scheduled_events_{name}") for name in ("list", "page1", "page2")]
    judge(given, first, *others, {"collection": [buffered]}, LAST_PAGE)
    assert {one["status"] for one in given["collection"]} == {"active", "canceled"}


def test_scheduled_event(stand: Practice) -> None:
    event = get(stand, stand.event_of(stand.book(10, host=stand.ana)))
    buffered = example("api_scheduled_event_2025_buffered")
    judge(event, buffered, {"resource": {"uri": "the published excerpt ends before it"}}, free=(".resource.uri",))


def test_canceled_event(stand: Practice) -> None:
    booking = stand.book(10, host=stand.ana)
    stand.company.cancel(booking, reason="ill")
    event = get(stand, stand.event_of(booking))
    published_one = example("api_scheduled_event_get")
    webhook = example("webhook_invitee_canceled_2026")["payload"]["scheduled_event"]
    judge(
        event,
        published_one,
        example("api_scheduled_event_2025_buffered"),
        {"resource": webhook},
        free=(".resource.event_guests",),
    )


INVITEES = ["api_invitee_rescheduled_old_2021", "api_invitee_get"]


def invitee_family() -> list[Any]:
    """REST answers and, for the fields added since, the invitee part of today's deliveries."""
    slim = [dict(example(name)["payload"]) for name in ("webhook_invitee_canceled_2026", *RECENT)]
    for one in slim:
        del one["scheduled_event"]
    recorded = [example(name) for name in INVITEES]
    return [
        *recorded,
        {"resource": example("api_invitees_list")["collection"][0]},
        *({"resource": one} for one in slim),
    ]


RECENT = ("webhook_invitee_created_2026", "webhook_invitee_no_show_created_2026", "webhook_reschedule_1_new_created")


def test_invitees(stand: Practice) -> None:
    answers = (("Número", "12"),)
    client = Client("Rosa", "rosa@example.com", answers, {"utm_content": "R1"})
    old = stand.company.book(stand.visit, MONDAY, client, force=True)
    new = stand.company.reschedule(old, MONDAY + timedelta(days=1), force=True)
    stand.company.mark_attendance(new, present=False)
    family = invitee_family()
    for booking, first in ((old, example("api_invitee_get")), (new, {"resource": family[2]["resource"]})):
        judge(get(stand, booking), first, *family, free=(".resource.payment",))
    rows = get(stand, f"{stand.event_of(old)}/invitees")
    judge(rows["collection"][0], example("api_invitee_get")["resource"], *(one["resource"] for one in family))


def test_cancellation_and_scheduling_link(stand: Practice) -> None:
    event = stand.event_of(stand.book(10))
    given = ask(stand, "POST", f"{event}/cancellation", json={"reason": None})
    judge(given, example("api_cancel_event"))
    wanted = {"max_event_count": 1, "owner": stand.visit, "owner_type": "EventType"}
    judge(ask(stand, "POST", "/scheduling_links", json=wanted), example("api_scheduling_link"))


def subscribe(stand: Practice, **more: Any) -> Any:
    wanted = {"url": "http://127.0.0.1:9/hook/calendly/1", "events": ["invitee.created"], "scope": "organization"}
    wanted |= {"organization": stand.company.organization, "signing_key": "k"} | more
    return ask(stand, "POST", "/webhook_subscriptions", json=wanted)


def test_webhook_subscriptions(stand: Practice) -> None:
    recorded = example("api_webhook_subscriptions_org")
    single = example("api_webhook_subscription_user")
    judge(subscribe(stand), single, {"resource": recorded["collection"][2]})
    query = {"organization": stand.company.organization, "scope": "organization"}
    judge(get(stand, "/webhook_subscriptions", **query), recorded, LAST_PAGE)


ERRORS = [
    ("error_401", "GET", "/users/me", {"headers": {"Authorization": "Bearer expired"}}),
    ("error_404_koshilife", "GET", "/scheduled_events/none", {}),
    ("error_400", "GET", "/scheduled_events", {}),
]


@pytest.mark.parametrize(("name", "method", "path", "more"), ERRORS)
def test_errors(stand: Practice, name: str, method: str, path: str, more: Json) -> None:
    headers = more.get("headers", {"Authorization": f"Bearer {TOKEN}"})
    answer = requests.request(method, stand.server.url + path, headers=headers, timeout=10)
    judge(answer.json(), example(name))
    assert str(answer.status_code) in name


def test_the_errors_of_webhook_subscriptions(stand: Practice) -> None:
    subscribe(stand)
    assert subscribe(stand) == example("error_409_webhook_exists")
    stand.server.api.webhooks_need_paid_plan = True
    assert subscribe(stand) == example("error_403_webhook_plan_2026")


def test_an_exhausted_allowance_has_the_headers_and_no_body(stand: Practice) -> None:
    stand.server.api.limit = 0
    headers = {"Authorization": f"Bearer {TOKEN}"}
    answer = requests.get(f"{stand.server.url}/users/me", headers=headers, timeout=10)
    wanted = example("error_429_headers")
    assert answer.status_code == wanted["status"] and answer.content == b""
    assert {name for name in wanted["headers"] if name.startswith("X-")} <= set(answer.headers)
    assert answer.headers["X-RateLimit-Remaining"] == "0" and "Retry-After" not in answer.headers


# deliveries


def told(stand: Practice, act: Any) -> list[Json]:
    """Collect the bodies that an act makes."""
    bodies: list[Json] = []
    stand.company.listeners.append(bodies.append)
    act()
    stand.company.listeners.remove(bodies.append)
    return bodies


def deliveries() -> list[Any]:
    names = (*RECENT, "webhook_invitee_canceled_2026", "webhook_invitee_no_show_deleted_docs")
    return [example(name) for name in (*names, "webhook_reschedule_2_old_canceled")]


LOCATION = (".payload.scheduled_event.location",)


def test_delivery_of_a_booking(stand: Practice) -> None:
    (body,) = told(stand, lambda: stand.book(10, host=stand.ana))
    judge(body, example("webhook_invitee_created_2026"), *deliveries(), free=LOCATION)


def test_delivery_of_a_cancellation(stand: Practice) -> None:
    booking = stand.book(10)
    (body,) = told(stand, lambda: stand.company.cancel(booking, reason="ill"))
    judge(body, example("webhook_invitee_canceled_2026"), *deliveries(), free=LOCATION)


def test_deliveries_of_a_reschedule(stand: Practice) -> None:
    old = stand.book(10)
    created, canceled = told(stand, lambda: stand.company.reschedule(old, MONDAY + timedelta(days=1, hours=10)))
    judge(created, example("webhook_reschedule_1_new_created"), *deliveries())
    reason = {"cancellation": example("webhook_reschedule_2_old_canceled")["payload"]["cancellation"]}
    twice = {"payload": {"scheduled_event": reason}}  # published without a reason beside, with one inside, the event
    judge(canceled, example("webhook_reschedule_2_old_canceled"), *deliveries(), twice)
    assert created["payload"]["old_invitee"] == old == canceled["payload"]["uri"]
    assert canceled["payload"]["new_invitee"] == created["payload"]["uri"] and canceled["payload"]["rescheduled"]


def test_delivery_of_a_no_show(stand: Practice) -> None:
    booking = stand.book(10)
    (body,) = told(stand, lambda: stand.company.mark_attendance(booking, present=False))
    judge(body, example("webhook_invitee_no_show_created_2026"), *deliveries(), free=LOCATION)


def test_a_sample_of_this_very_account_looks_like_a_delivery(stand: Practice) -> None:
    query = {"event": "invitee.created", "organization": stand.company.organization, "scope": "organization"}
    body = get(stand, "/sample_webhook_data", **query)
    judge(body, example("webhook_invitee_created_2026"), *deliveries(), free=LOCATION)


def test_deliveries_show_neither_buffers_nor_the_calendar_entry(stand: Practice) -> None:
    """Measured over the published ones: 0 of 8 carry buffers."""
    (body,) = told(stand, lambda: stand.book(10, host=stand.ana))
    seen = {path for path, _ in places(body)}
    assert not [path for path in seen if "buffered" in path or "calendar_event" in path]
