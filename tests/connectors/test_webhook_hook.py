"""One call of a scheduler behind a mapping: what proves it, what it amounts to, what it can never do."""

import base64
import hashlib
import hmac
import json
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors.webhook import WebhookSettings, told
from syncd.core.interval import Interval
from syncd.errors import BadSignature
from syncd.ports import Call, Delivery
from tests.connectors.shared import published, wire
from tests.connectors.webhook_stage import (
    ACCOUNT,
    acuity_table,
    easyappointments_table,
    hook_of,
    savvycal_table,
    settings_of,
)
from tests.servers.calendly import NOW
from tests.servers.webhook_acuity import API_KEY
from tests.servers.webhook_door import Headers
from tests.servers.webhook_easyappointments import HOOK_TOKEN
from tests.servers.webhook_savvycal import SECRET

Json = dict[str, Any]

PLAIN: Json = {
    "auth": {"mode": "hmac", "header": "X-Sign", "secrets": ["key"]},
    "event": {"path": "event", "map": {"made": "created", "gone": "canceled", "asked": "requested", "other": "ignore"}},
    "booking": {
        "id": "b.id",
        "previous_id": "b.before",
        "start": "b.start",
        "end": "b.end",
        "event_type": "b.kind",
        "host": {"path": "b.host"},
        "external_id": ["b.meta.request", "b.utm"],
    },
    "contact": {"name": "b.name", "email": "b.mail"},
    "answers": {"map": "b.answers"},
}


def table(**changes: Any) -> Json:
    """The plain mapping with some of its tables changed key by key."""
    found = deepcopy(PLAIN)
    for name, value in changes.items():
        found[name] = {**found[name], **value} if isinstance(found.get(name), dict) else value
    return found


def booked(event: str = "made", **changes: Any) -> Json:
    booking = {"id": "B1", "start": "2026-11-30T13:00:00Z", "end": "2026-11-30T13:30:00Z", "kind": 7, "host": 2}
    return {"event": event, "b": booking | {"name": "Rosa", "mail": "rosa@example.com"} | changes}


def hexed(body: bytes, key: str = "key") -> str:
    return hmac.new(key.encode(), body, hashlib.sha256).hexdigest()


def deliver(body: bytes, wanted: Json = PLAIN) -> Delivery:
    return hook_of(wanted, [("X-Sign", hexed(body))], body, NOW)


def keys(delivery: Delivery) -> list[str]:
    return [touch.key for touch in delivery.touches]


# what proves the sender


@pytest.mark.parametrize(
    "values",
    [
        (),
        ("",),
        (hexed(b"{}") + "\xe9",),
        (hexed(b"{}"), hexed(b"{}")),
        (hexed(b"{}", "another key"),),
        (hexed(b"{}")[:-1],),
        (hexed(b"{}")[:-2],),
        (f"sha256={hexed(b'{}')}",),
        ("sha256=",),
        ("zz" * 32,),
    ],
)
def test_h1_to_h14_what_does_not_prove_the_sender_is_refused(values: tuple[str, ...]) -> None:
    with pytest.raises(BadSignature):
        hook_of(PLAIN, [("X-Sign", value) for value in values], b"{}", NOW)


@given(st.binary(max_size=200), st.text(max_size=120), st.sampled_from(["hex", "base64"]))
def test_no_header_and_no_body_makes_anything_but_a_refusal(body: bytes, header: str, digest: str) -> None:
    with pytest.raises(BadSignature):
        hook_of(table(auth={"digest": digest}), [("X-Sign", header)], body, NOW)


def test_a_hexadecimal_signature_counts_in_any_case_and_a_prefix_is_a_must() -> None:
    body, prefixed = wire(booked()), table(auth={"prefix": "sha256="})
    assert hook_of(prefixed, [("x-sign", f"sha256={hexed(body).upper()}")], body, NOW).touches
    with pytest.raises(BadSignature):
        hook_of(prefixed, [("X-Sign", hexed(body))], body, NOW)


def test_a_signature_in_base64_is_no_other_spelling_of_itself() -> None:
    body, based = wire(booked()), table(auth={"digest": "base64"})
    digest = base64.b64encode(bytes.fromhex(hexed(body))).decode()
    assert hook_of(based, [("X-Sign", digest)], body, NOW).touches
    for wrong in (digest.rstrip("="), f"{digest}\n", digest[:-4], "é"):
        with pytest.raises(BadSignature):
            hook_of(based, [("X-Sign", wrong)], body, NOW)


STAMPED: Json = {
    "signed": "{t}.{body}",
    "timestamp": {"header": "X-Sign", "part": "t"},
    "signature": {"part": "v1"},
    "tolerance": "5m",
}


def stamped(body: bytes, stamp: str) -> Headers:
    return [("X-Sign", f"t={stamp},v1={hexed(stamp.encode() + b'.' + body)}")]


@pytest.mark.parametrize(("age", "good"), [(0, True), (300, True), (301, False), (-300, True), (-301, False)])
def test_h7_a_signed_time_counts_within_the_tolerance_to_the_second(age: int, good: bool) -> None:
    body, wanted = wire(booked()), table(auth=STAMPED)
    headers = stamped(body, str(int((NOW - timedelta(seconds=age)).timestamp())))
    if good:
        assert hook_of(wanted, headers, body, NOW).touches
    else:
        with pytest.raises(BadSignature, match="clock"):
            hook_of(wanted, headers, body, NOW)


@pytest.mark.parametrize("stamp", ["-1", "1e30", "NaN", "", " 1", "9" * 400, "\u0661"])
def test_h8_a_signed_time_that_is_none_is_refused(stamp: str) -> None:
    with pytest.raises(BadSignature):
        hook_of(table(auth=STAMPED), stamped(b"{}", stamp), b"{}", NOW)


def test_a_token_is_compared_whole_and_all_of_them_count() -> None:
    body = wire(booked())
    wanted = table(auth={"mode": "token", "secrets": ["new token", "old token"]})
    for token in ("new token", "old token"):
        assert hook_of(wanted, [("X-Sign", token)], body, NOW).touches
    for wrong in ("new toke", "new token ", "NEW TOKEN", "tok\xe9n"):
        with pytest.raises(BadSignature):
            hook_of(wanted, [("X-Sign", wrong)], body, NOW)


def test_an_unsigned_call_only_says_where_to_look() -> None:
    unsigned = table(auth={}, fetch={"url": "https://api.example.com/b/{id}"})
    unsigned["auth"] = {"mode": "none", "allow_unsigned": True}
    body = wire(booked())
    assert keys(hook_of(unsigned, [], body, NOW)) == ["otra|B1"]
    assert told(ACCOUNT, settings_of(unsigned), Call(headers=[], body=body, now=NOW)) is None


# what a call amounts to


def test_acuitys_thin_notice_names_the_appointment() -> None:
    shape = published("other/acuity_webhook_form_fields.json")
    assert set(shape["fields"]) == {"action", "id", "calendarID", "appointmentTypeID"}
    for action in shape["fields"]["action"].split("|"):
        body = f"action={action}&id=54321&calendarID=27238&appointmentTypeID=7".encode()
        digest = base64.b64encode(bytes.fromhex(hexed(body, API_KEY))).decode()
        delivery = hook_of(acuity_table(), [("X-Acuity-Signature", digest)], body, NOW)
        assert delivery.unwanted is (action == "order.completed")
        assert delivery.unwanted or (keys(delivery), delivery.event_type) == (["otra|54321"], "7")


def test_savvycals_envelope_is_known_again_by_its_own_id() -> None:
    envelope = published("other/savvycal_webhook_envelope.json") | {"payload": {"id": "event_1"}}
    body = wire(envelope)
    headers = [("x-savvycal-signature", f"sha256={hexed(body, SECRET).upper()}")]
    delivery = hook_of(savvycal_table(), headers, body, NOW)
    assert (delivery.key, keys(delivery)) == (f"id:{envelope['id']}", ["otra|event_1"])


def test_easyappointments_local_times_are_read_in_the_configured_zone() -> None:
    body = wire(published("other/easyappointments_webhook_appointment_save_shape.json"))
    call = Call(headers=[("X-Ea-Token", HOOK_TOKEN)], body=body, now=NOW)
    assert keys(hook_of(easyappointments_table(), list(call.headers), body)) == ["otra|1"]
    booking = told(ACCOUNT, settings_of(easyappointments_table()), call)
    assert booking is not None
    start = datetime(2021, 1, 1, 20, tzinfo=UTC)  # 17:00 in Santiago
    assert booking.interval == Interval(start, start + timedelta(hours=1))
    assert (booking.event_type, booking.host_id) == ("6", "2")


def test_a_deleted_appointment_is_told_as_cancelled_by_its_call_alone() -> None:
    whole = published("other/easyappointments_webhook_appointment_save_shape.json") | {"action": "appointment_delete"}
    call = Call(headers=[("X-Ea-Token", HOOK_TOKEN)], body=wire(whole), now=NOW)
    booking = told(ACCOUNT, settings_of(easyappointments_table()), call)
    assert booking is not None and not booking.active


@pytest.mark.parametrize(
    ("event", "active", "pending"), [("made", True, False), ("gone", False, False), ("asked", True, True)]
)
def test_without_fetch_the_signed_call_is_the_truth(event: str, active: bool, pending: bool) -> None:
    body = wire(booked(event, before="B0", meta={"request": "R7"}, answers={"Depto": {"value": 12}}))
    booking = told(ACCOUNT, settings_of(PLAIN), Call(headers=[("X-Sign", hexed(body))], body=body, now=NOW))
    assert booking is not None
    assert (booking.active, booking.pending, booking.replaces, booking.request_token) == (active, pending, "B0", "R7")
    assert [(one.question, one.answer) for one in booking.answers] == [("Depto", "12")]
    assert keys(deliver(body)) == ["otra|B1", "otra|B0"]


def test_told_believes_no_call_that_is_not_signed_with_our_secret() -> None:
    body = wire(booked())
    assert told(ACCOUNT, settings_of(PLAIN), Call(headers=[("X-Sign", hexed(body, "x"))], body=body, now=NOW)) is None


def test_calendlys_and_calcoms_published_calls_go_through_their_presets() -> None:
    calendly = {"preset": "calendly", "auth": {"secrets": ["key"]}}
    body = wire(published("calendly/calendly_webhook_invitee_created_2026.json"))
    stamp = str(int(NOW.timestamp()))
    headers = [("Calendly-Webhook-Signature", f"t={stamp},v1={hexed(stamp.encode() + b'.' + body)}")]
    found = told(ACCOUNT, settings_of(calendly), Call(headers=headers, body=body, now=NOW))
    assert found is not None and found.active and found.contact.email and found.host_id
    calcom = {"preset": "calcom", "auth": {"secrets": ["key"]}, "fetch": {"auth": {"bearer": "cal_x"}}}
    body = wire(published("calcom/calcom_webhook_booking_rescheduled_v20211020.json"))
    headers = [("X-Cal-Signature-256", hexed(body))]
    found = told(ACCOUNT, settings_of(calcom), Call(headers=headers, body=body, now=NOW))
    assert found is not None and found.replaces == "previous-booking-unique-id"
    assert (found.host_email, found.event_type) == ("organizer@example.com", "100")


def test_zooms_schema_goes_through_its_preset() -> None:
    event = {"event_id": "E1", "start_date_time": "2026-11-30T13:00:00Z", "end_date_time": "2026-11-30T13:30:00Z"}
    asked = [{"question": "Depto", "position": 0, "answer": ["12", "13"]}]
    thing = {"scheduled_event": event, "invitee_first_name": "Rosa", "questions_and_answers": asked}
    body = wire({"event": "scheduler.scheduled_event_created", "payload": {"user_id": "U1", "object": thing}})
    stamp = str(int(NOW.timestamp()))
    signature = "v0=" + hexed(b"v0:" + stamp.encode() + b":" + body)
    headers = [("x-zm-signature", signature), ("x-zm-request-timestamp", stamp)]
    found = told(
        ACCOUNT,
        settings_of({"preset": "zoom", "auth": {"secrets": ["key"]}}),
        Call(headers=headers, body=body, now=NOW),
    )
    assert found is not None and (found.id, found.host_id, found.contact.name) == ("E1", "U1", "Rosa")
    assert found.answers[0].answer == "12\n13"


def test_unknown_events_are_acknowledged_or_kept_as_configured() -> None:
    body = wire(booked("news"))
    assert deliver(body).unwanted and deliver(wire(booked("other"))).unwanted
    assert deliver(body, table(event={"unknown": "dead_letter"})).unreadable


def test_a_repeat_is_known_by_what_it_is_about_or_by_its_bytes() -> None:
    body = wire(booked(changed="2026-11-24T12:00:00Z"))
    dated = table(booking={"updated_at": "b.changed"})
    assert deliver(body, dated).key == "made|B1|2026-11-24T12:00:00Z"
    assert deliver(body).key == "sha256:" + hashlib.sha256(body).hexdigest()


# signed, and nothing to us: a dead letter


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"event":' + b"9" * 1_000_000 + b"}",
        b'{"event":"made","event":"gone"}',
        json.dumps(booked(name="\ud800")).encode(),
        b"[]",
        b"null",
        b"",
        b'{"event":"made"}',
        b'{"event":7}',
        b'{"event":"made","b":[]}',
        b"\xef\xbb\xbf" + wire(booked()),
        wire(booked()).replace(b"Rosa", b"\xff"),
    ],
)
def test_h40_to_h50_a_body_that_means_nothing(body: bytes) -> None:
    delivery = deliver(body)
    assert delivery.unreadable and not delivery.touches


@pytest.mark.parametrize(
    "changes",
    [
        {"start": 1782340245},
        {"start": "1782340245"},
        {"end": "2026-11-30T13:00:00Z"},
        {"end": "2035-11-30T13:00:00Z"},
        {"start": "2026-02-30T13:00:00Z"},
        {"start": "2026-11-30T24:00:00Z"},
        {"start": "2026-11-30T13:00:60Z"},
        {"start": "2026-11-30T13:00:00"},
        {"start": "2026-11-30T13:00:00+23:00"},
        {"start": ["2026-11-30T13:00:00Z"]},
        {"start": None},
        {"id": None},
        {"id": {}},
        {"id": "i" * 10_000},
        {"id": "B\n1"},
        {"id": "B\u202e1"},
        {"id": "B\x001"},
        {"kind": ["7"]},
    ],
)
def test_h47_to_h65_a_value_that_no_booking_can_have(changes: Json) -> None:
    delivery = deliver(wire(booked(**changes)))
    assert delivery.unreadable and not delivery.touches


@pytest.mark.parametrize("body", [b"a=%ff&action=x", b"=", b"&".join(b"a=1" for _ in range(500)), b"\xff", b"plain"])
def test_a_form_that_is_none_is_a_dead_letter(body: bytes) -> None:
    digest = base64.b64encode(bytes.fromhex(hexed(body, API_KEY))).decode()
    assert hook_of(acuity_table(), [("X-Acuity-Signature", digest)], body, NOW).unreadable


def test_of_a_repeated_form_field_the_first_counts() -> None:
    body = b"action=scheduled&id=1&calendarID=2&appointmentTypeID=3&id=666"
    digest = base64.b64encode(bytes.fromhex(hexed(body, API_KEY))).decode()
    assert keys(hook_of(acuity_table(), [("X-Acuity-Signature", digest)], body, NOW)) == ["otra|1"]


def test_a_call_longer_than_max_body_is_a_dead_letter() -> None:
    body = wire(booked(name="x" * 3000))
    assert deliver(body).touches
    assert deliver(body, table(max_body="2KiB")).unreadable


@pytest.mark.parametrize("mail", ["a@b.cl\r\nBcc: x@evil.example", "no at", "<a@b.cl>", 7])
def test_h71_an_address_that_is_none_is_left_out_and_the_booking_stands(mail: Any) -> None:
    body = wire(booked(mail=mail))
    found = told(ACCOUNT, settings_of(PLAIN), Call(headers=[("X-Sign", hexed(body))], body=body, now=NOW))
    assert found is not None and found.contact.email is None and found.contact.name == "Rosa"


@pytest.mark.parametrize(
    ("local", "instant"),
    [
        ("2027-04-03 23:30:00", "2027-04-04T02:30:00+00:00"),  # comes twice: the first of the two
        ("2026-09-06 00:30:00", "2026-09-06T04:30:00+00:00"),  # skipped: moves on by the gap
    ],
)
def test_h61_local_times_at_a_change_of_the_clocks(local: str, instant: str) -> None:
    zoned = table(
        booking={"times": "local", "time_zone": {"fixed": "America/Santiago"}, "end": "", "duration": "b.long"}
    )
    body = wire(booked(start=local, long=30))
    found = told(ACCOUNT, settings_of(zoned), Call(headers=[("X-Sign", hexed(body))], body=body, now=NOW))
    assert found is not None and found.interval.start == datetime.fromisoformat(instant)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"auth": {"mode": "none"}}, "allow_unsigned"),
        ({"auth": {"secrets": []}}, "secrets"),
        ({"auth": {"secrets": [" "]}}, "secrets"),
        ({"auth": {"header": None}}, "header"),
        ({"auth": {"signed": "{t}.{body}"}}, "timestamp"),
        ({"auth": {"signed": "{x}{body}"}}, "signed"),
        ({"auth": {"tolerance": "5m"}}, "timestamp"),
        ({"auth": {"digest": "md5"}}, "digest"),
        ({"event": {"path": ""}}, "path or header"),
        ({"event": {"map": {"made": "maybe"}}}, "map"),
        ({"booking": {"id": "a..b"}}, "no path"),
        ({"booking": {"id": "a[?b=c]"}}, "no path"),
        ({"booking": {"id": ""}}, "id"),
        ({"booking": {"end": ""}}, "booking.end"),
        ({"booking": {"times": "local"}}, "time_zone"),
        ({"booking": {"time_zone": {"fixed": "../../etc/passwd"}}}, "time zone"),
        ({"booking": {"host": {"path": "b.host", "link": "nobody"}}}, "links"),
        ({"fetch": {"url": "https://api.example.com/b"}}, "{id}"),
        ({"fetch": {"url": "bookings/{id}"}}, "api_url"),
        ({"fetch": {"url": "https://a.example.com/{id}", "paths": {"begin": "x"}}}, "no field"),
        (
            {"fetch": {"url": "https://a.example.com/{id}"}, "cancel": {"url": "https://b.example.com/{id}"}},
            "same server",
        ),
        ({"poll": {"urls": ["https://a.example.com/"]}}, "fetch"),
        ({"preset": "acuty"}, "no preset"),
        ({"max_body": "5MiB"}, "max_body"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_a_mapping_that_cannot_work_is_refused_with_words(changes: Json, says: str) -> None:
    with pytest.raises(ValidationError, match=says.replace("{", r"\{").replace("}", r"\}")):
        WebhookSettings.model_validate(table(**changes))


def test_unsigned_without_fetch_is_refused() -> None:
    wanted = table()
    wanted["auth"] = {"mode": "none", "allow_unsigned": True}
    with pytest.raises(ValidationError, match="fetch"):
        WebhookSettings.model_validate(wanted)


def test_a_users_keys_override_a_preset_one_by_one() -> None:
    mine = savvycal_table() | {"booking": {"event_type": "payload.link.slug"}}
    found = settings_of(mine)
    assert found.booking.event_type == "payload.link.slug" and found.booking.id == "payload.id"


def test_settings_do_not_show_their_secrets() -> None:
    shown = settings_of(acuity_table())
    assert API_KEY not in repr(shown) + str(shown) + shown.model_dump_json()
