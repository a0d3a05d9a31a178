"""Watch channels and what they say: opened, replaced, stopped; a notice touches one calendar or counts for nothing."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._google_hook import LONGEST_TOKEN, token_of
from connectors.google import SPEC
from syncd.core.ids import AccountId
from syncd.errors import Ambiguous, Forbidden, Permanent, Unreadable
from syncd.ports import Call, Delivery, Subscription, Touch, Watch
from tests.connectors.google_stage import ANA, GoogleStage, use_of
from tests.servers.google import Channel, Google, serving

CALLBACK = "https://visitas.example.cl/hook/google"
NOW = datetime(2026, 11, 25, tzinfo=UTC)


@pytest.fixture
def google() -> Iterator[Google]:
    with serving() as state:
        yield state
    assert state.wrong == []


@pytest.fixture
def stage(google: Google) -> GoogleStage:
    return GoogleStage(google)


def watch_of(stage: GoogleStage, **changes: Any) -> Watch:
    assert SPEC.watch is not None
    return SPEC.watch(stage.account, stage.settings, stage.env, replace(stage.use, **changes))


def calendar_id(stage: GoogleStage) -> str:
    return f"{stage.account}/{stage.name}"


def heard(stage: GoogleStage, headers: dict[str, str], live: Callable[[str], str | None]) -> Delivery:
    assert SPEC.hook is not None
    call = Call(headers=list(headers.items()), body=b"", now=NOW, live=live, secret=stage.env.secret)
    return SPEC.hook(stage.account, stage.settings, call)


def opened(stage: GoogleStage) -> tuple[Subscription, Channel, Callable[[str], str | None]]:
    """Open a channel; return it as we hold it, as Google holds it, and our list of what is live."""
    made = watch_of(stage).start(CALLBACK)
    held = {made.id: calendar_id(stage)}
    return made, list(stage.google.channels.values())[-1], held.get


def test_a_channel_is_opened_for_a_week_and_its_end_is_read_back(stage: GoogleStage) -> None:
    stage.google.longest_watch = timedelta(days=2)
    made, channel, _ = opened(stage)
    assert made.expires_at == NOW + timedelta(days=2) and made.callback == channel.address == CALLBACK
    (call,) = stage.google.asked("events.watch")
    assert call.body["params"] == {"ttl": "604800"} and len(call.body["token"]) <= LONGEST_TOKEN


def test_a_channel_whose_end_is_not_told_is_taken_to_last_a_week(stage: GoogleStage) -> None:
    stage.google.change("events.watch", lambda told: {name: one for name, one in told.items() if name != "expiration"})
    made, _, _ = opened(stage)
    left = made.expires_at - stage.env.clock.now() if made.expires_at is not None else timedelta(0)
    assert timedelta(days=6, hours=23) < left <= timedelta(days=7)


def test_a_channel_is_not_prolonged_but_followed_by_another(stage: GoogleStage) -> None:
    watch = watch_of(stage)
    old = watch.start(CALLBACK)
    assert watch.renew(old) is None
    new = watch.start(CALLBACK)
    assert new.id != old.id and len(stage.google.channels) == 2
    watch.stop(old)
    assert len(stage.google.channels) == 1 and json.loads(new.memo)["channel"] in stage.google.channels


def test_stopping_twice_is_a_success_and_strays_are_not_told(stage: GoogleStage) -> None:
    watch = watch_of(stage)
    made = watch.start(CALLBACK)
    watch.stop(made)
    watch.stop(made)
    assert watch.strays(()) == ()


def test_a_channel_is_stopped_as_the_person_who_opened_it(stage: GoogleStage) -> None:
    """Somebody else gets a 404, and the channel would go on calling."""
    bob = "bob@example.cl"
    stage.google.desk.people.add(bob)
    made = watch_of(stage).start(CALLBACK)
    watch_of(stage, subject=bob).stop(made)
    assert stage.google.channels == {}
    assert [call.person for call in stage.google.asked("channels.stop")] == [ANA]


def test_what_google_posts_touches_the_calendar(stage: GoogleStage) -> None:
    _, channel, live = opened(stage)
    delivery = heard(stage, stage.google.notice(channel), live)
    assert delivery.touches == (Touch(kind="pull", key=calendar_id(stage)),)
    assert delivery.ignored is None and delivery.key == ""


def test_the_first_word_of_a_channel_touches_nothing(stage: GoogleStage) -> None:
    _, channel, live = opened(stage)
    delivery = heard(stage, stage.google.notice(channel, "sync"), live)
    assert delivery.ignored and delivery.touches == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Goog-Channel-Token", "x"),
        ("X-Goog-Channel-Token", ""),
        ("X-Goog-Channel-Token", "ñandú"),
        ("X-Goog-Channel-ID", "another"),
        ("X-Goog-Channel-ID", ""),
        ("X-Goog-Resource-ID", "another"),
        ("X-Goog-Resource-ID", ""),
    ],
)
def test_a_wrong_token_channel_or_resource_counts_for_nothing(stage: GoogleStage, name: str, value: str) -> None:
    _, channel, live = opened(stage)
    delivery = heard(stage, stage.google.notice(channel) | {name: value}, live)
    assert delivery.ignored and delivery.touches == ()


def test_a_header_told_twice_counts_for_nothing(stage: GoogleStage) -> None:
    _, channel, live = opened(stage)
    twice = stage.google.notice(channel)
    twice["x-goog-channel-token"] = twice["X-Goog-Channel-Token"]
    assert heard(stage, twice, live).ignored


def test_the_token_of_one_channel_opens_no_other(stage: GoogleStage) -> None:
    _, first, _ = opened(stage)
    _, second, live = opened(stage)
    forged = stage.google.notice(second) | {"X-Goog-Channel-Token": first.token}
    assert heard(stage, forged, live).ignored


def test_a_channel_of_another_account_counts_for_nothing(stage: GoogleStage) -> None:
    _, channel, live = opened(stage)
    assert SPEC.hook is not None
    call = Call(
        headers=list(stage.google.notice(channel).items()), body=b"", now=NOW, live=live, secret=stage.env.secret
    )
    assert SPEC.hook(AccountId("another"), stage.settings, call).ignored


def test_a_calendar_whose_name_is_too_long_for_the_token_is_still_watched(google: Google) -> None:
    stage = GoogleStage(google)
    name = f"{'x' * 240}@group.calendar.google.com"
    google.make_calendar(name, ANA)
    assert SPEC.watch is not None
    made = SPEC.watch(stage.account, stage.settings, stage.env, use_of(name)).start(CALLBACK)
    (channel,) = google.channels.values()
    delivery = heard(stage, google.notice(channel), {made.id: f"{stage.account}/{name}"}.get)
    assert delivery.touches == (Touch(kind="pull", key=f"{stage.account}/{name}"),)


@given(calendar=st.text(max_size=400), channel=st.text(max_size=64), secret=st.binary(min_size=1, max_size=64))
def test_a_token_fits_and_says_nothing_of_the_secret(calendar: str, channel: str, secret: bytes) -> None:
    try:
        token = token_of(secret, channel, calendar)
    except UnicodeEncodeError:
        return  # half a character is no name of a calendar
    assert len(token) <= LONGEST_TOKEN and token.isascii()
    assert token != token_of(secret + b"x", channel, calendar) != token_of(secret, channel + "x", calendar)


@pytest.mark.parametrize(
    ("status", "reason", "error"),
    [
        (401, "push.webhookUrlUnauthorized", Forbidden),
        (400, "push.webhookUrlNotHttps", Permanent),
        (403, "pushNotSupportedForRequestedResource", Forbidden),
    ],
)
def test_an_address_that_google_does_not_call_is_no_dead_login(
    stage: GoogleStage, status: int, reason: str, error: type[Exception]
) -> None:
    stage.google.refuse("events.watch", status, reason)
    with pytest.raises(error, match=reason):
        watch_of(stage).start(CALLBACK)
    assert len(stage.google.asked("events.watch")) == 1


def test_a_plain_http_address_is_refused_with_the_reason(stage: GoogleStage) -> None:
    with pytest.raises(Permanent, match="NotHttps"):
        watch_of(stage).start("http://visitas.example.cl/hook/google")


def test_an_opening_whose_answer_is_lost_is_told_as_such(stage: GoogleStage) -> None:
    stage.google.hang_up("events.watch")
    with pytest.raises(Ambiguous):
        watch_of(stage).start(CALLBACK)


def test_an_answer_that_names_no_channel_is_not_believed(stage: GoogleStage) -> None:
    stage.google.answer("events.watch", 200, b'{"kind": "api#channel", "id": "x"}')
    with pytest.raises(Unreadable):
        watch_of(stage).start(CALLBACK)
