"""Whatever value of the core is kept comes back equal: by type, so that a field added tomorrow is covered."""

import json
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.core.interval import Interval
from syncd.core.routing import Request, Route
from syncd.core.visit import Visit, VisitState
from syncd.store import codec, rows
from syncd.store.history import UNTOLD, broken_links, link, row_of
from tests.store.values import CAUSE, START, visit

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
LENGTHS = st.timedeltas(timedelta(microseconds=1), timedelta(days=2))
INTERVALS = st.tuples(MOMENTS, LENGTHS).map(lambda one: Interval(one[0], one[0] + one[1]))
STATES = st.sampled_from([state for state in VisitState if state is not VisitState.DONE])

st.register_type_strategy(str, TEXT)
st.register_type_strategy(datetime, MOMENTS)
st.register_type_strategy(Interval, INTERVALS)
st.register_type_strategy(VisitState, STATES)


def visits() -> st.SearchStrategy[Visit]:
    return st.from_type(Visit)


@given(visits())
def test_a_visit_of_any_content_comes_back_equal_but_for_split_seconds_of_its_time(made: Visit) -> None:
    kept = rows.visit_values(made)
    assert all(isinstance(value, str | int | None) for value in kept.values())
    expected = replace(made, interval=rows.whole(made.interval), guard=rows.whole(made.guard))
    assert rows.visit_of(kept) == expected


@given(st.from_type(Request), st.from_type(Route))
@settings(max_examples=50)
def test_requests_and_routes_come_back_equal(request: Request, route: Route) -> None:
    found = rows.request_of(rows.request_values(request, "{}", route, None))
    assert (found.request, found.route) == (request, route)


@given(visits(), visits())
@settings(max_examples=50)
def test_history_tells_exactly_the_fields_that_differ(one: Visit, other: Visit) -> None:
    before, after = one, replace(other, id=one.id)
    row = row_of(before, after, CAUSE)
    differ = {
        field.name
        for field in fields(Visit)
        if field.name not in UNTOLD and getattr(before, field.name) != getattr(after, field.name)
    }
    assert row.before is not None and set(row.before) == set(row.after) == differ
    assert codec.decode_fields(Visit, row.after) == {name: getattr(after, name) for name in differ}
    assert json.loads(rows.text(row.after)) == row.after


@given(INTERVALS)
def test_an_interval_is_rounded_outwards_by_less_than_a_second(interval: Interval) -> None:
    kept = rows.whole(interval)
    assert kept.contains(interval)
    second = timedelta(seconds=1)
    assert interval.start - kept.start < second and kept.end - interval.end < second
    assert rows.whole(kept) == kept


@given(MOMENTS)
def test_a_moment_is_rounded_down_or_up_by_less_than_a_second(moment: datetime) -> None:
    down, up = rows.moment(rows.seconds(moment)), rows.moment(rows.seconds_up(moment))
    assert down <= moment <= up
    assert up - down <= timedelta(seconds=1)
    assert (up == down) == (moment.microsecond == 0)


@pytest.mark.parametrize("convert", [rows.seconds, rows.seconds_up, codec.encode])
def test_a_moment_without_zone_is_refused(convert: object) -> None:
    assert callable(convert)
    with pytest.raises(ValueError, match="aware"):
        convert(datetime(2026, 1, 1))  # noqa: DTZ001


def test_a_document_leaves_out_what_is_as_it_always_is() -> None:
    assert set(codec.encode_fields(visit(), rows.VISIT_COLUMNS)) == {"contact", "booked_at", "time_zone"}


def test_moments_of_a_document_are_utc_text() -> None:
    local = datetime(2026, 5, 12, 10, 0, 0, 5, tzinfo=timezone(timedelta(hours=-4)))
    assert codec.encode(local) == "2026-05-12T14:00:00.000005Z"
    assert codec.encode(START) == "2026-05-12T14:00:00Z"


def test_what_has_no_json_form_is_refused() -> None:
    with pytest.raises(TypeError, match="object has no JSON form"):
        codec.encode(object())


@dataclass(frozen=True)
class Small:
    number: int


def test_a_document_with_a_field_that_is_not_known_is_refused() -> None:
    assert codec.decode(Small, {"number": 1}) == Small(1)
    with pytest.raises(KeyError):
        codec.decode(Small, {"number": 1, "colour": "red"})


CHAIN = [
    {
        "visit_id": name,
        "version": version,
        "at": version,
        "actor": "a",
        "source": "s",
        "delivery": None,
        "note": "",
        "before": None,
        "after": f'{{"n":{version}}}',
    }
    for name, version in (("a", 1), ("a", 2), ("a", 3), ("b", 1))
]


def chained() -> list[dict[str, object]]:
    """Return a history of two visits, as the store chains it."""
    made: list[dict[str, object]] = []
    for values in CHAIN:
        previous = str(made[-1]["hash"]) if values["version"] != 1 else ""
        made.append({**values, "hash": link(previous, values)})
    return made


def test_i7_a_whole_chain_is_not_broken() -> None:
    assert broken_links(chained()) == []


@pytest.mark.parametrize("field", [name for name in CHAIN[0] if name != "visit_id"])
def test_i7_a_chain_shows_each_field_that_is_altered(field: str) -> None:
    history = chained()
    history[1] = history[1] | {field: 9 if isinstance(history[1][field], int) else "forged"}
    assert broken_links(history) == ["a"]


def test_i7_a_chain_shows_a_row_taken_out_moved_or_made_up() -> None:
    whole = chained()
    assert broken_links([whole[0], *whole[2:]]) == ["a"]
    assert broken_links(whole[1:]) == ["a"]
    assert broken_links([whole[0], whole[1], whole[2] | {"version": 4}, whole[3]]) == ["a"]
    assert broken_links([*whole[:3], whole[3] | {"hash": "0" * 64}]) == ["b"]


def test_i7_a_row_forged_together_with_its_own_hash_breaks_the_chain_after_it() -> None:
    history = chained()
    forged = history[1] | {"actor": "forged"}
    history[1] = forged | {"hash": link(str(history[0]["hash"]), forged)}
    assert broken_links(history) == ["a"]
    alone = history[:2]
    assert broken_links(alone) == []  # of the last row only the visit's own version speaks
