"""The values a configuration holds beyond TOML's own."""

from datetime import date, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.config.values import (
    UNITS,
    read_clock,
    read_day,
    read_duration,
    read_email,
    read_locale,
    read_message_time,
    read_quiet,
    read_spans,
    read_template,
    read_url,
    read_window,
    read_zone,
    zones,
)
from syncd.core.directory import Anchor, MessageTime
from syncd.core.event_type import Window
from syncd.core.template import VARIABLES, fill

CLOCKS = st.times().map(lambda one: one.replace(second=0, microsecond=0))


@given(count=st.integers(0, 500), unit=st.sampled_from(sorted(UNITS)))
def test_a_duration_means_what_it_says(count: int, unit: str) -> None:
    seconds = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}[unit]
    assert read_duration(f"{count}{unit}") == timedelta(seconds=count * seconds)


@given(text=st.text("0123456789smhdwy .-+", max_size=8))
def test_anything_else_is_no_duration(text: str) -> None:
    try:
        length = read_duration(text)
    except ValueError:
        return
    assert text.strip()[:-1].strip().isdigit()
    assert timedelta(0) <= length <= timedelta(days=3660)


@pytest.mark.parametrize("text", ["1h30m", "1.5h", "30 min", "P1D", "30M", "٣m", "-1m", "m", ""])
def test_other_spellings_of_durations_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        read_duration(text)


def test_a_window_is_business_days_or_a_duration() -> None:
    assert read_window("15 business days") == Window(business_days=15)
    assert read_window("1 business day") == Window(business_days=1)
    assert read_window("60d") == Window(ahead=timedelta(days=60))


@given(clock=CLOCKS)
def test_a_time_of_day_is_read_to_the_minute(clock: time) -> None:
    assert read_clock(f"{clock:%H:%M}") == clock


def test_the_end_of_the_day_is_24_00() -> None:
    assert read_spans(["20:00-24:00"]) == ((time(20), time.max),)


@given(
    marks=st.lists(CLOCKS, min_size=2, max_size=8, unique=True).map(sorted), shuffle=st.randoms(use_true_random=False)
)
def test_spans_come_out_in_order_and_apart(marks: list[time], shuffle: object) -> None:
    pairs = list(zip(marks[::2], marks[1::2], strict=False))
    texts = [f"{start:%H:%M}-{end:%H:%M}" for start, end in pairs]
    shuffle.shuffle(texts)  # type: ignore[attr-defined]
    assert read_spans(texts) == tuple(pairs)


@given(one=st.tuples(CLOCKS, CLOCKS), other=st.tuples(CLOCKS, CLOCKS))
def test_two_spans_are_refused_exactly_when_they_overlap(one: tuple[time, time], other: tuple[time, time]) -> None:
    if one[0] >= one[1] or other[0] >= other[1]:
        return
    overlap = max(one[0], other[0]) < min(one[1], other[1])
    texts = [f"{start:%H:%M}-{end:%H:%M}" for start, end in (one, other)]
    assert refused(texts) == overlap


def refused(spans: list[str]) -> bool:
    try:
        read_spans(spans)
    except ValueError:
        return True
    return False


def test_quiet_hours_may_span_midnight() -> None:
    assert read_quiet("21:00-08:00") == (time(21), time(8))


def test_a_day_is_written_with_or_without_quotes() -> None:
    assert read_day("2026-12-24") == read_day(date(2026, 12, 24)) == date(2026, 12, 24)
    for wrong in ("24-12-2026", "2026-02-30", "1926-01-01", 20261224):
        with pytest.raises(ValueError, match=r"is no day|is not between|text in quotes"):
            read_day(wrong)


def test_every_zone_of_the_system_is_known_and_the_nearest_is_named() -> None:
    assert all(read_zone(zone) == zone for zone in zones() if not zone.startswith(("posix", "right")))
    with pytest.raises(ValueError, match='did you mean "America/Santiago"'):
        read_zone("santiago")


@pytest.mark.parametrize("locale", ["es", "es_CL", "it_IT", "de", "en_GB"])
def test_the_four_languages_are_known(locale: str) -> None:
    assert read_locale(locale) == locale


@pytest.mark.parametrize("email", ["a@b.cl", "ana.soto+visitas@sub.example.cl"])
def test_plain_addresses_are_taken(email: str) -> None:
    assert read_email(email) == email


@pytest.mark.parametrize(
    "email", ["a@b", "@b.cl", "a b@c.cl", "a@b.cl,c@d.cl", "Ana <a@b.cl>", "a@b.cl\r\nBcc: c@d.cl"]
)
def test_what_could_be_two_addresses_or_none_is_refused(email: str) -> None:
    with pytest.raises(ValueError, match="is no e-mail address"):
        read_email(email)


def test_an_address_of_the_web_loses_the_slash_at_its_end() -> None:
    assert read_url("https://visitas.example.cl/") == "https://visitas.example.cl"
    assert read_url("http://[::1]:8420") == "http://[::1]:8420"


@pytest.mark.parametrize(
    "url", ["https://", "https://a b", "https://a\\b", "https://añb.cl", "javascript:x", "https://a:99999"]
)
def test_odd_addresses_of_the_web_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="is no address"):
        read_url(url)


@given(names=st.lists(st.sampled_from(sorted(VARIABLES)), max_size=4))
def test_what_is_read_as_a_template_is_filled_without_a_rest(names: list[str]) -> None:
    template = " - ".join(f"{{{{ {name} }}}}" for name in names)
    filled = fill(read_template(template), dict.fromkeys(VARIABLES, "x"))
    assert filled == " - ".join("x" for _ in names)


@given(text=st.text("{} proyecto7*", max_size=20))
def test_a_template_is_refused_or_wholly_filled(text: str) -> None:
    try:
        template = read_template(text)
    except ValueError:
        return
    assert "{{" not in fill(template, {})
    assert "}}" not in fill(template, {})


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("at booking", MessageTime(anchor=Anchor.BOOKING)),
        ("10m after booking", MessageTime(anchor=Anchor.BOOKING, offset=timedelta(minutes=10))),
        ("1d before start", MessageTime(anchor=Anchor.START, offset=timedelta(days=-1))),
        ("5m after start", MessageTime(anchor=Anchor.START, offset=timedelta(minutes=5))),
        ("08:00 on the day", MessageTime(anchor=Anchor.DAY, at=time(8))),
    ],
)
def test_the_moments_of_messages_are_read(text: str, moment: MessageTime) -> None:
    assert read_message_time(text) == moment
