"""The five rows of the form for windows: whatever is typed comes back as it was, and means what it says."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.interval import Interval
from syncd.language import Language
from syncd.web.propose_form import Bounds, faults, judged, rows_of, typed
from tests.world import town

ENGLISH = Language("en")
BOUNDS = Bounds(now=town.START, zone=town.ZONE, least=timedelta(minutes=20))
NAMES = [f"{part}_{number}" for part in ("date", "from", "until") for number in range(1, 7)]


def window(day: int, begin: int, length: int) -> Interval:
    local = datetime.combine(date(2026, 5, 5) + timedelta(days=day), time(8), ZoneInfo(town.ZONE))
    start = local.astimezone(UTC) + timedelta(minutes=begin)
    return Interval(start, start + timedelta(minutes=length))


some_windows = st.lists(
    st.builds(window, st.integers(0, 200), st.integers(0, 360), st.integers(20, 360)), min_size=1, max_size=5
)


@given(some_windows)
def test_windows_that_stand_in_the_form_are_read_as_the_same_windows(windows: list[Interval]) -> None:
    """Summer and winter alike: the form changes nothing by being sent back as it is."""
    rows, found = judged(rows_of(windows, town.ZONE, ENGLISH), BOUNDS, ENGLISH)
    assert found == windows
    assert not list(faults(rows))


@given(
    st.dictionaries(
        st.sampled_from(NAMES),
        st.one_of(
            st.text(max_size=60),
            st.dates(max_value=date(2101, 1, 1)).map(str),
            st.times().map(lambda one: f"{one:%H:%M}"),
            st.sampled_from(["", " ", "2026-05-12", "10:00", "10:00:00", "24:00", "٢٠٢٦-٠٥-١٢", "2026-W20-2"]),
        ),
    )
)
def test_anything_typed_gives_windows_or_a_fault_in_its_own_row_and_is_kept(posted: dict[str, str]) -> None:
    rows = typed(posted, ENGLISH)
    after, found = judged(rows, BOUNDS, ENGLISH)
    assert [[one.value for one in row.cells] for row in after] == [[one.value for one in row.cells] for row in rows]
    wrong = {row.number for row, _ in faults(after)}
    meant = [row for row in after if not row.is_empty]
    assert wrong if not meant else len(found) + len(wrong) == len(meant)
    for one in found:
        assert one.start > BOUNDS.now and BOUNDS.least <= one.length < timedelta(days=1, hours=1)


@pytest.mark.parametrize(
    ("day", "words"),
    [
        ("2026-02-30", "does not exist"),
        ("0000-01-01", "does not exist"),
        ("2999-01-01", "too far ahead"),
        ("1999-12-31", "already over"),
        ("12/05/2026", "write the day like"),
    ],
)
def test_a_day_that_cannot_be_is_told_apart_from_one_that_cannot_be_read(day: str, words: str) -> None:
    rows, found = judged(typed({"date_1": day, "from_1": "10:00", "until_1": "11:00"}, ENGLISH), BOUNDS, ENGLISH)
    assert words in rows[0].day.error and not found
