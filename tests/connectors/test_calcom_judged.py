"""Cal.com's stand-in, held against what is published: the rows of its API and the payloads of its webhooks."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.connectors.shared import published
from tests.servers.calcom import Stand, calcom
from tests.servers.calendly import MONDAY

# What GET /v2/bookings promises for every booking (OpenAPI document, BookingOutput_2024_08_13, `required`).
PROMISED = (
    "id uid title description hosts status start end duration eventTypeId eventType location absentHost createdAt "
    "updatedAt attendees bookingFieldsResponses"
).split()


@pytest.fixture
def stand() -> Iterator[Stand]:
    with calcom() as running:
        yield running


def differences(ours: Any, theirs: Any, place: str = "") -> list[str]:
    """List where our value has a key or a type that the published one does not have; null fits everything."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        unknown = [f"{place}.{key}" for key in ours if key not in theirs]
        shared = [key for key in ours if key in theirs]
        return unknown + [one for key in shared for one in differences(ours[key], theirs[key], f"{place}.{key}")]
    if isinstance(ours, list) and isinstance(theirs, list):
        return [one for each in ours if theirs for one in differences(each, theirs[0], f"{place}[]")]
    if ours is None or theirs is None or type(ours) is type(theirs):
        return []
    return [f"{place}: {type(ours).__name__} for {type(theirs).__name__}"]


def test_a_row_has_what_is_promised_and_nothing_that_is_not_published(stand: Stand) -> None:
    row = stand.company.bookings[stand.company.move(stand.book(10), MONDAY + timedelta(hours=14))]
    assert set(PROMISED) <= set(row)
    theirs = published("calcom/calcom_api_bookings_list_prism.json")["data"][0]
    theirs["bookingFieldsResponses"] |= {"name": "", "email": "", "guests": []}
    assert differences(row, theirs) == []


@pytest.mark.parametrize("trigger", ["created", "requested", "cancelled", "rejected", "rescheduled"])
def test_a_payload_has_nothing_that_is_not_published(stand: Stand, trigger: str) -> None:
    told: dict[str, dict[str, Any]] = {}
    stand.company.told.append(lambda name, payload: told.update({name: payload}))
    asked = stand.company.add_event_type("Con permiso", 30, [stand.ana], confirm=True)
    stand.company.decline(stand.book(9, kind=asked))
    stand.company.give_up(stand.company.move(stand.book(11), MONDAY + timedelta(hours=14)))
    theirs = published(f"calcom/calcom_webhook_booking_{trigger}_v20211020.json")["payload"]
    assert differences(told[f"BOOKING_{trigger.upper()}"], theirs) == []
