"""One webhook call of Calendly: what proves it, what it amounts to, what it can never do."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors._calendly_hook import hook, verify
from connectors._calendly_settings import CalendlySettings
from syncd.core.ids import AccountId
from syncd.errors import BadSignature
from syncd.ports import Call, Delivery, Touch
from tests.connectors.shared import names, published, wire

ACCOUNT = AccountId("calendly")
KEY = "test-signing-key"
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
SETTINGS = CalendlySettings.model_validate({"token": "t", "signing_keys": [KEY]})
HEADER = "Calendly-Webhook-Signature"
ROOT = "https://api.calendly.com/scheduled_events"


def signature(body: bytes, *, key: str = KEY, at: datetime | str = NOW) -> str:
    stamp = at if isinstance(at, str) else str(int(at.timestamp()))
    return f"t={stamp},v1={hmac.new(key.encode(), stamp.encode() + b'.' + body, hashlib.sha256).hexdigest()}"


def deliver(body: bytes, *, settings: CalendlySettings = SETTINGS, now: datetime = NOW) -> Delivery:
    return hook(
        ACCOUNT,
        settings,
        Call(headers=[("Content-Type", "application/json"), (HEADER, signature(body))], body=body, now=now),
    )


def with_header(*values: str, body: bytes = b"{}", now: datetime = NOW) -> Delivery:
    return hook(ACCOUNT, SETTINGS, Call(headers=[(HEADER, value) for value in values], body=body, now=now))


def created(**changes: Any) -> dict[str, Any]:
    """A delivery of today's shape, reduced to what matters, with changes of its payload."""
    payload: dict[str, Any] = {
        "uri": f"{ROOT}/E1/invitees/I1",
        "updated_at": "2026-11-24T11:59:00.000000Z",
        "old_invitee": None,
        "new_invitee": None,
        "scheduled_event": {
            "uri": f"{ROOT}/E1",
            "event_type": "https://api.calendly.com/event_types/T1",
            "start_time": "2026-11-30T13:00:00.000000Z",
            "end_time": "2026-11-30T13:30:00.000000Z",
        },
    }
    return {"event": "invitee.created", "created_at": "2026-11-24T12:00:00.000000Z", "payload": payload | changes}


def during(**changes: Any) -> dict[str, Any]:
    """The same with changes of its event."""
    whole = created()
    whole["payload"]["scheduled_event"] |= changes
    return whole


# the signature


def test_the_derived_vector_is_accepted() -> None:
    vector = published("other/signature_vectors_derived.json")["calendly"]
    body = wire(published(f"calendly/{vector['fixture']}"))
    assert hashlib.sha256(body).hexdigest() == vector["body_sha256"]
    headers = [(vector["header_name"].lower(), vector["header"])]
    delivery = hook(
        ACCOUNT, SETTINGS, Call(headers=headers, body=body, now=datetime.fromtimestamp(int(vector["t"]), UTC))
    )
    assert [touch.kind for touch in delivery.touches] == ["ingest"]


def test_h1_no_signature_header_is_refused() -> None:
    with pytest.raises(BadSignature):
        hook(ACCOUNT, SETTINGS, Call(headers=[("X-Other", signature(b"{}"))], body=b"{}", now=NOW))


def test_h2_an_empty_signature_is_refused() -> None:
    with pytest.raises(BadSignature):
        with_header("")


def test_h4_bytes_beyond_ascii_in_the_signature_are_refused() -> None:
    with pytest.raises(BadSignature):
        with_header(signature(b"{}") + "\xe9")
    with pytest.raises(BadSignature):
        with_header(f"t={int(NOW.timestamp())},v1=" + "\u0661" * 64)


def test_h5_two_signature_headers_are_refused_though_one_is_valid() -> None:
    with pytest.raises(BadSignature):
        with_header(signature(b"{}"), "t=1,v1=00")
    with pytest.raises(BadSignature):
        with_header(signature(b"{}"), signature(b"{}"))


def test_two_digests_in_one_header_are_refused_though_one_is_valid() -> None:
    with pytest.raises(BadSignature):
        with_header(f"{signature(b'{}')},v1={'0' * 64}")


def test_h7_a_timestamp_an_hour_ahead_is_refused() -> None:
    with pytest.raises(BadSignature, match="clock"):
        with_header(signature(b"{}", at=NOW + timedelta(hours=1)))


@pytest.mark.parametrize("stamp", ["-1", "1e30", "NaN", "", " 1", "1.5", "0x1", "\u0661", "9" * 400])
def test_h8_a_timestamp_that_is_none_is_refused(stamp: str) -> None:
    with pytest.raises(BadSignature):
        with_header(signature(b"{}", at=stamp))


def test_h10_one_newline_added_to_the_body_is_refused() -> None:
    body = wire(created())
    with pytest.raises(BadSignature):
        hook(ACCOUNT, SETTINGS, Call(headers=[(HEADER, signature(body))], body=body + b"\n", now=NOW))


def test_h11_a_bom_unsigned_is_refused_and_signed_a_dead_letter() -> None:
    body = wire(created())
    with pytest.raises(BadSignature):
        hook(ACCOUNT, SETTINGS, Call(headers=[(HEADER, signature(body))], body=b"\xef\xbb\xbf" + body, now=NOW))
    assert deliver(b"\xef\xbb\xbf" + body).unreadable


@pytest.mark.parametrize("value", ["sha256=", "v1=", "t=,v1=", "t", ",", "t=1;v1=2"])
def test_h13_a_header_that_is_only_a_prefix_is_refused(value: str) -> None:
    with pytest.raises(BadSignature):
        with_header(value)


def test_h14_a_delivery_signed_with_another_accounts_key_is_refused() -> None:
    with pytest.raises(BadSignature):
        with_header(signature(b"{}", key="the key of another account"))


def test_an_upper_case_digest_is_another_digest() -> None:
    stamp, digest = signature(b"{}").split(",v1=")
    with pytest.raises(BadSignature):
        with_header(f"{stamp},v1={digest.upper()}")


def test_both_keys_are_accepted_while_they_rotate_and_the_old_one_no_longer_afterwards() -> None:
    body = wire(created())
    rotating = CalendlySettings.model_validate({"token": "t", "signing_keys": ["new key", KEY]})
    assert deliver(body, settings=rotating).touches
    rotated = CalendlySettings.model_validate({"token": "t", "signing_keys": ["new key"]})
    with pytest.raises(BadSignature):
        deliver(body, settings=rotated)


@pytest.mark.parametrize(
    ("age", "accepted"),
    [
        (timedelta(hours=25), True),
        (timedelta(hours=25, seconds=1), False),
        (timedelta(minutes=-5), True),
        (timedelta(minutes=-5, seconds=-1), False),
    ],
)
def test_the_tolerance_ends_to_the_second_on_both_sides(age: timedelta, accepted: bool) -> None:
    header = [(HEADER, signature(b"{}", at=NOW - age))]
    if accepted:
        verify(SETTINGS, header, b"{}", NOW)
    else:
        with pytest.raises(BadSignature):
            verify(SETTINGS, header, b"{}", NOW)


def test_the_tolerance_is_a_setting() -> None:
    tight = {"token": "t", "signing_keys": [KEY], "tolerance": {"past": "3m", "future": "10s"}}
    header = [(HEADER, signature(b"{}", at=NOW - timedelta(minutes=4)))]
    with pytest.raises(BadSignature):
        verify(CalendlySettings.model_validate(tight), header, b"{}", NOW)


def test_f8_a_delivery_replayed_after_thirty_days_is_refused() -> None:
    body = wire(created())
    with pytest.raises(BadSignature):
        hook(ACCOUNT, SETTINGS, Call(headers=[(HEADER, signature(body))], body=body, now=NOW + timedelta(days=30)))


@pytest.mark.parametrize("name", names("calendly", "calendly_webhook_"))
def test_what_a_parser_writes_again_is_not_what_was_signed(name: str) -> None:
    """Calendly's own sample verifies re-serialised JSON; the raw bytes are the only thing that is signed."""
    body = wire(published(name))
    again = json.dumps(json.loads(body)).encode()
    assert again != body
    deliver(body)
    with pytest.raises(BadSignature):
        hook(ACCOUNT, SETTINGS, Call(headers=[(HEADER, signature(again))], body=body, now=NOW))


@given(st.binary(max_size=200), st.text(max_size=120))
def test_no_header_and_no_body_makes_anything_but_a_refusal(body: bytes, header: str) -> None:
    with pytest.raises(BadSignature):
        hook(ACCOUNT, SETTINGS, Call(headers=[(HEADER, header)], body=body, now=NOW))


# what a delivery amounts to


EXPECTED = {
    "event_type_created_docs": "unwanted",
    "routing_form_submission_docs": "unwanted",
    "invitee_no_show_deleted_docs": "dead",  # the printed sample ends the event when it starts (H52)
}


@pytest.mark.parametrize("name", names("calendly", "calendly_webhook_"))
def test_every_published_delivery_is_read_or_deliberately_not(name: str) -> None:
    payload = published(name)
    delivery = deliver(wire(payload))
    short = name.removeprefix("calendly/calendly_webhook_").removesuffix(".json")
    match EXPECTED.get(short, "read"):
        case "unwanted":
            assert delivery.unwanted and not delivery.touches
        case "dead":
            assert delivery.unreadable and not delivery.touches
        case _:
            assert delivery.touches[0] == Touch(kind="ingest", key=f"calendly|{payload['payload']['uri']}")
            assert not delivery.unwanted and delivery.unreadable is None


def test_a_delivery_names_its_event_type_so_that_strangers_meetings_need_not_be_kept() -> None:
    assert deliver(wire(created())).event_type == "https://api.calendly.com/event_types/T1"


def test_deliveries_of_2020_without_an_event_are_read() -> None:
    whole = created()
    del whole["payload"]["scheduled_event"]
    delivery = deliver(wire(whole))
    assert len(delivery.touches) == 1 and delivery.event_type is None


def test_a_reschedule_touches_both_bookings_whichever_delivery_comes() -> None:
    old, new = f"{ROOT}/E1/invitees/I1", f"{ROOT}/E2/invitees/I2"
    canceled = created(uri=old, new_invitee=new, rescheduled=True) | {"event": "invitee.canceled"}
    both = {Touch(kind="ingest", key=f"calendly|{old}"), Touch(kind="ingest", key=f"calendly|{new}")}
    assert set(deliver(wire(canceled)).touches) == both
    assert set(deliver(wire(created(uri=new, old_invitee=old))).touches) == both


RESCHEDULE = ["0_original_created", "1_new_created", "2_old_canceled", "3_second_canceled"]


def test_f7_every_order_of_a_reschedule_touches_the_same_names_and_nothing_else() -> None:
    bodies = [wire(published(f"calendly/calendly_webhook_reschedule_{name}.json")) for name in RESCHEDULE]
    outcomes = set()
    for order in permutations(bodies):
        deliveries = [deliver(body) for body in order]
        assert all(one.unreadable is None and not one.unwanted for one in deliveries)
        outcomes.add(frozenset(touch for one in deliveries for touch in one.touches))
    assert len(outcomes) == 1
    assert {touch.kind for touch in next(iter(outcomes))} == {"ingest"}
    assert len(next(iter(outcomes))) == 2


def test_f6_the_same_delivery_has_the_same_key_however_it_was_signed() -> None:
    body = wire(created())
    first = deliver(body)
    later = hook(
        ACCOUNT, SETTINGS, Call(headers=[(HEADER, signature(body, at=NOW + timedelta(seconds=9)))], body=body, now=NOW)
    )
    assert first == later


def test_what_changed_has_another_key() -> None:
    whole = created()
    marked = created(no_show={"uri": "https://api.calendly.com/invitee_no_shows/N1"})
    keys = {
        deliver(wire(one)).key
        for one in (
            whole,
            whole | {"event": "invitee.canceled"},
            created(uri=f"{ROOT}/E1/invitees/I2"),
            created(updated_at="2026-11-24T11:59:01.000000Z"),
            marked | {"event": "invitee_no_show.created"},
        )
    }
    assert len(keys) == 5


def test_h64_two_ids_that_differ_in_case_are_two_bookings() -> None:
    assert deliver(wire(created())).key != deliver(wire(created(uri=f"{ROOT}/e1/invitees/i1"))).key


def test_an_unwanted_kind_is_kept_apart_from_the_unreadable() -> None:
    delivery = deliver(wire({"event": "meeting_recap.created", "payload": {"anything": [1]}}))
    assert delivery.unwanted and delivery.unreadable is None and not delivery.touches


def test_the_address_of_a_local_stand_in_is_as_good_as_calendlys() -> None:
    local = CalendlySettings.model_validate({"token": "t", "signing_keys": [KEY], "api_url": "http://127.0.0.1:8430"})
    body = wire(created(uri="http://127.0.0.1:8430/scheduled_events/E1/invitees/I1"))
    assert deliver(body, settings=local).touches
    assert deliver(body).unreadable


def test_unknown_words_and_fields_are_accepted() -> None:
    whole = created(status="teleported", scheduling_method="api", role="admin")
    whole["payload"]["scheduled_event"] |= {"location": {"type": "hologram"}, "status": "odd"}
    assert deliver(wire(whole | {"hint": 1})).touches


# signed, and nothing to us: a dead letter


def dead(body: bytes) -> None:
    delivery = deliver(body)
    assert delivery.unreadable and not delivery.touches and not delivery.unwanted
    assert delivery.key == "sha256:" + hashlib.sha256(body).hexdigest()


def test_h40_a_hundred_thousand_brackets() -> None:
    dead(b"[" * 100_000)
    dead(b'{"a":' * 100_000)


def test_h40_deep_but_parsable() -> None:
    dead(b'{"event":"invitee.created","payload":' + b"[" * 500 + b"]" * 500 + b"}")


def test_h41_an_integer_with_a_million_digits() -> None:
    dead(b'{"event":' + b"9" * 1_000_000 + b"}")


@pytest.mark.parametrize("word", [b"NaN", b"Infinity", b"-Infinity"])
def test_words_that_are_no_json(word: bytes) -> None:
    dead(b'{"event":"invitee.created","payload":{"x":' + word + b"}}")


def test_h43_duplicate_keys() -> None:
    body = wire(created())
    dead(body.replace(b'"event":"invitee.created"', b'"event":"invitee.created","event":"invitee.canceled"'))
    dead(body.replace(b'"old_invitee":null', b'"old_invitee":null,"old_invitee":null'))


def test_h44_a_lone_surrogate() -> None:
    dead(json.dumps(created(name="\ud800")).encode())
    dead(json.dumps(created(**{"\udfff": 1})).encode())


@pytest.mark.parametrize("body", [b"[]", b'"invitee.created"', b"null", b"1", b"true", b""])
def test_h46_something_else_than_an_object_at_the_top(body: bytes) -> None:
    dead(body)


@pytest.mark.parametrize("payload", [[], "text", 1, None, {}, {"uri": None}, {"uri": 7}])
def test_h46_something_else_than_an_invitee_inside(payload: Any) -> None:
    dead(wire({"event": "invitee.created", "payload": payload}))


@pytest.mark.parametrize("start", [1782340245, 1782340245.5, "1782340245", None, True, ["2026-11-30T13:00:00Z"]])
def test_h47_a_start_that_is_no_time_is_never_read_as_an_epoch(start: Any) -> None:
    dead(wire(during(start_time=start)))


@pytest.mark.parametrize("value", [1, None, "", "yesterday", {"at": 1}])
def test_h47_the_same_for_the_time_of_the_change(value: Any) -> None:
    dead(wire(created(updated_at=value)))


def test_h49_bytes_that_are_no_utf8() -> None:
    dead(wire(created(name="x")).replace(b'"x"', b'"\xff\xfe"'))
    dead(json.dumps(created()).encode("utf-16"))


BODY = wire(created())


@settings(max_examples=len(BODY), deadline=None)
@given(st.integers(0, len(BODY) - 1))
def test_h50_a_body_cut_anywhere_is_never_complete(at: int) -> None:
    dead(BODY[:at])


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-11-30T13:00:00Z", "2026-11-30T13:00:00Z"),  # H52
        ("2026-11-30T13:00:00Z", "2026-11-30T12:00:00Z"),
        ("2026-11-30T13:00:00Z", "2035-11-30T13:00:00Z"),  # H53
        ("2026-02-30T13:00:00Z", "2026-02-30T13:30:00Z"),  # H55
        ("2026-11-30T24:00:00Z", "2026-12-01T00:30:00Z"),  # H56
        ("2026-11-30T13:00:60Z", "2026-11-30T13:30:00Z"),  # H56
        ("2026-11-30T13:00:00", "2026-11-30T13:30:00"),  # H59: no zone and no offset
        ("0001-01-01T00:00:00+14:00", "0001-01-01T00:30:00+14:00"),
        ("9999-12-31T23:30:00-12:00", "9999-12-31T23:59:00-12:00"),
        ("20261130T130000Z", "20261130T133000Z"),
    ],
)
def test_h52_to_h59_a_time_that_no_visit_can_have(start: str, end: str) -> None:
    dead(wire(during(start_time=start, end_time=end)))


@pytest.mark.parametrize(
    "uri",
    [
        f"{ROOT}/E1/invitees/I1?x=1",
        f"{ROOT}/E1/invitees/I1#x",
        f"{ROOT}/E1/invitees/I1/",
        f"{ROOT}/../users/me",
        f"{ROOT}/E1/invitees/..%2f..%2fusers",
        f"{ROOT}/E1/invitees/I1\n",
        f"{ROOT}/E1",
        "https://api.calendly.com/users/U1",
        "https://evil.example/scheduled_events/E1/invitees/I1",
        "https://api.calendly.com@evil.example/scheduled_events/E1/invitees/I1",
        "https://api.calendly.com:443/scheduled_events/E1/invitees/I1",
        "file:///scheduled_events/E1/invitees/I1",
        "//api.calendly.com/scheduled_events/E1/invitees/I1",
        "/scheduled_events/E1/invitees/I1",
        f"{ROOT}/E1/invitees/{'I' * 10_000}",  # H62
        f"{ROOT}/E1/invitees/I\u0131",
    ],
)
@pytest.mark.parametrize("field", ["uri", "old_invitee", "new_invitee"])
def test_only_addresses_of_invitees_are_names(uri: str, field: str) -> None:
    dead(wire(created(**{field: uri})))
