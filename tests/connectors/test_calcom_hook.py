"""One webhook call of Cal.com: what proves it, what it amounts to, what it can never do."""

import hashlib
import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors._calcom_booking import id_of_seat
from connectors._calcom_hook import WANTED, hook, reopens
from connectors._calcom_settings import CalcomSettings
from syncd.core.ids import AccountId
from syncd.errors import BadSignature, Unreadable
from syncd.ports import Call, Delivery, Touch
from tests.connectors.shared import names, published, wire
from tests.servers.calcom import signed
from tests.servers.calendly import NOW

ACCOUNT = AccountId("calcom")
KEY = "test-secret"
SETTINGS = CalcomSettings.model_validate({"api_key": "cal_x", "secrets": [KEY]})
HEADER = "X-Cal-Signature-256"


def call(body: bytes, *values: str, ours: CalcomSettings = SETTINGS) -> Delivery:
    return hook(ACCOUNT, ours, Call(headers=[(HEADER, value) for value in values], body=body, now=NOW))


def deliver(body: bytes) -> Delivery:
    return call(body, signed(body, KEY))


def created(trigger: str = "BOOKING_CREATED", **changes: Any) -> dict[str, Any]:
    """A delivery of today's shape, reduced to what matters, with changes of its payload."""
    payload = {"uid": "bookingUid1", "startTime": "2026-11-30T13:00:00Z", "endTime": "2026-11-30T13:30:00.000Z"}
    payload |= {"eventTypeId": 7, "seatsPerTimeSlot": None}  # type: ignore[dict-item]
    return {"triggerEvent": trigger, "createdAt": "2026-11-24T12:00:00.000Z", "payload": payload | changes}


def keys(delivery: Delivery) -> list[str]:
    assert all(touch.kind == "ingest" for touch in delivery.touches)
    return [touch.key for touch in delivery.touches]


# the signature


def test_the_derived_vector_is_accepted() -> None:
    vector = published("other/signature_vectors_derived.json")["calcom"]
    body = wire(published(f"calcom/{vector['fixture']}"))
    assert hashlib.sha256(body).hexdigest() == vector["body_sha256"]
    assert call(body, vector["header"]).touches


@pytest.mark.parametrize(
    "values",
    [
        (),  # H1
        ("",),  # H2
        (signed(b"{}", KEY) + "\xe9",),  # H4
        ("\u0661" * 64,),
        (signed(b"{}", KEY), signed(b"{}", KEY)),  # H5
        (signed(b"{}", KEY), "0" * 64),
        ("sha256=",),  # H13
        (f"sha256={signed(b'{}', KEY)}",),
        (signed(b"{}", "the key of another account"),),  # H14
        ("no-secret-provided",),
        (" no-secret-provided ",),
    ],
)
def test_what_does_not_prove_the_sender_is_refused(values: tuple[str, ...]) -> None:
    with pytest.raises(BadSignature):
        call(b"{}", *values)


def test_the_words_of_an_unsigned_webhook_prove_nothing_even_as_a_secret() -> None:
    body = wire(created())
    odd = CalcomSettings.model_validate({"api_key": "cal_x", "secrets": ["no-secret-provided"]})
    with pytest.raises(BadSignature, match="without a secret"):
        call(body, "no-secret-provided", ours=odd)


def test_h10_h11_one_byte_more_is_refused() -> None:
    body = wire(created())
    for changed in (body + b"\n", b"\xef\xbb\xbf" + body):
        with pytest.raises(BadSignature):
            call(changed, signed(body, KEY))
    assert deliver(b"\xef\xbb\xbf" + body).unreadable


def test_both_secrets_are_accepted_while_they_rotate_and_the_old_one_no_longer_afterwards() -> None:
    body = wire(created())
    rotating = CalcomSettings.model_validate({"api_key": "cal_x", "secrets": ["new", KEY]})
    assert call(body, signed(body, KEY), ours=rotating).touches
    with pytest.raises(BadSignature):
        call(body, signed(body, KEY), ours=CalcomSettings.model_validate({"api_key": "x", "secrets": ["new"]}))


@given(st.binary(max_size=200), st.text(max_size=120))
def test_no_header_and_no_body_makes_anything_but_a_refusal(body: bytes, header: str) -> None:
    with pytest.raises(BadSignature):
        call(body, header)


# what a delivery amounts to

UNWANTED = ("after_hosts", "form_submitted", "meeting_ended", "ooo_created")


@pytest.mark.parametrize("name", names("calcom", "calcom_webhook_"))
def test_every_published_delivery_is_read_or_deliberately_not(name: str) -> None:
    whole = published(name)
    text = json.dumps(whole).replace('"endTime": "[redacted/dynamic]"', '"endTime": "2026-11-30T13:30:00Z"')
    text = text.replace('"startTime": "[redacted/dynamic]"', '"startTime": "2026-11-30T13:00:00Z"')
    delivery = deliver(text.replace("[redacted/dynamic]", "uid0").encode())
    assert delivery.unreadable is None
    if any(word in name for word in UNWANTED):
        assert delivery.unwanted and not delivery.touches
        return
    payload = whole["payload"]
    uid = payload.get("uid", payload.get("bookingUid")).replace("[redacted/dynamic]", "uid0")
    assert keys(delivery)[0] == f"calcom|{uid}" and not delivery.unwanted


def test_a_move_touches_the_old_booking_and_the_new_one() -> None:
    delivery = deliver(wire(created("BOOKING_RESCHEDULED", uid="newUid", rescheduleUid="oldUid")))
    assert keys(delivery) == ["calcom|newUid", "calcom|oldUid"]


def test_a_requested_booking_is_wanted_and_names_its_event_type() -> None:
    delivery = deliver(wire(created("BOOKING_REQUESTED")))
    assert keys(delivery) == ["calcom|bookingUid1"] and delivery.event_type == "7"


def test_a_cancellation_without_an_event_type_is_kept() -> None:
    whole = created("BOOKING_CANCELLED")
    del whole["payload"]["eventTypeId"]
    delivery = deliver(wire(whole))
    assert delivery.event_type is None and keys(delivery) == ["calcom|bookingUid1"]


def test_a_shared_booking_touches_the_seats_that_are_told_and_no_address_stands_in_an_id() -> None:
    clients = [{"email": "Ana@example.com"}, {"email": "no at"}, {"email": "b@example.com"}]
    delivery = deliver(wire(created(seatsPerTimeSlot=3, attendees=clients)))
    wanted = [id_of_seat("bookingUid1", mail) for mail in ("ana@example.com", "b@example.com")]
    assert keys(delivery) == [f"calcom|{one}" for one in wanted]
    assert "example.com" not in "".join(wanted)


def test_only_the_webhook_says_that_a_host_asked_for_another_time() -> None:
    asked = created("BOOKING_CANCELLED", requestReschedule=True)
    assert reopens(wire(asked)) == "bookingUid1"
    assert reopens(wire(created("BOOKING_CANCELLED", requestReschedule=False))) is None
    assert reopens(wire(created(requestReschedule=True))) is None
    with pytest.raises(Unreadable):
        reopens(b"[]")


def test_f6_a_repeat_has_the_same_key_and_one_byte_makes_another() -> None:
    body = wire(created())
    assert deliver(body) == deliver(body)
    assert deliver(body).key == "sha256:" + hashlib.sha256(body).hexdigest()
    assert deliver(body + b" ").key != deliver(body).key


@pytest.mark.parametrize("trigger", ["MEETING_STARTED", "RECORDING_READY", "PING", "SOMETHING_NEW", "OOO_CREATED"])
def test_every_other_trigger_is_acknowledged(trigger: str) -> None:
    delivery = deliver(wire({"triggerEvent": trigger, "anything": [1]}))
    assert delivery.unwanted and delivery.unreadable is None and not delivery.touches


def test_a_webhook_of_ours_asks_for_absences_and_no_shows_too() -> None:
    assert {"OOO_CREATED", "BOOKING_NO_SHOW_UPDATED", "BOOKING_REJECTED"} <= set(WANTED)


# signed, and nothing to us: a dead letter


def dead(body: bytes) -> None:
    delivery = deliver(body)
    assert delivery.unreadable and not delivery.touches and not delivery.unwanted


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,  # H40
        b'{"triggerEvent":' + b"9" * 1_000_000 + b"}",  # H41
        b'{"triggerEvent":"BOOKING_CREATED","triggerEvent":"BOOKING_CANCELLED"}',  # H43
        json.dumps(created(name="\ud800")).encode(),  # H44
        b"[]",  # H46
        b"null",
        b'"BOOKING_CREATED"',
        b"",
        b'{"triggerEvent":"BOOKING_CREATED","payload":NaN}',
        b'{"triggerEvent":"BOOKING_CREATED","payload":[]}',
        b'{"triggerEvent":"BOOKING_CREATED"}',
        wire(created()).replace(b'"bookingUid1"', b'"\xff"'),  # H49
    ],
)
def test_h40_to_h49_a_body_that_means_nothing(body: bytes) -> None:
    dead(body)


@pytest.mark.parametrize(
    "changes",
    [
        {"startTime": 1782340245},  # H47
        {"endTime": "2026-11-30T13:00:00Z"},  # H52
        {"endTime": "2035-11-30T13:00:00Z"},  # H53
        {"startTime": "2026-02-30T13:00:00Z"},  # H55
        {"startTime": "2026-11-30T24:00:00Z"},  # H56
        {"startTime": "2026-11-30T13:00:00"},  # H59
        {"startTime": None},
        {"uid": None},
        {"uid": 7},
        {"uid": "u" * 10_000},  # H62
        {"uid": "../users/me"},
        {"uid": "bookingUid1\n"},
        {"uid": "bookingUid\u0131"},
        {"rescheduleUid": "../x"},
    ],
)
def test_h47_to_h62_a_time_or_a_name_that_no_booking_can_have(changes: dict[str, Any]) -> None:
    dead(wire(created(**changes)))


BODY = wire(created())


@settings(max_examples=len(BODY), deadline=timedelta(seconds=5))
@given(st.integers(0, len(BODY) - 1))
def test_h50_a_body_cut_anywhere_is_never_complete(at: int) -> None:
    dead(BODY[:at])


def test_h64_two_uids_that_differ_in_case_are_two_bookings() -> None:
    small, large = deliver(wire(created(uid="abc"))), deliver(wire(created(uid="ABC")))
    assert small.touches != large.touches == (Touch(kind="ingest", key="calcom|ABC"),)
