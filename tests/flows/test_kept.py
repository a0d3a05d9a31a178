"""What is kept is found only at its revision, and never grows past its bound."""

from hypothesis import given
from hypothesis import strategies as st

from syncd.flows.kept import KeptStarts


def test_what_is_kept_is_found_again_at_the_same_revision_only() -> None:
    kept = KeptStarts()
    value = object()
    kept.keep("ana", (1, 2), value, size=3)
    assert kept.find("ana", (1, 2)) is value
    assert kept.find("ana", (1, 3)) is None
    assert kept.find("beto", (1, 2)) is None


def test_a_newer_value_takes_the_place_and_the_size_of_an_older_one() -> None:
    kept = KeptStarts()
    kept.keep("ana", 1, "old", size=30)
    kept.keep("ana", 2, "new", size=5)
    assert (kept.find("ana", 1), kept.find("ana", 2), len(kept)) == (None, "new", 5)


def test_the_longest_unused_goes_first() -> None:
    kept = KeptStarts(most=30)
    for name in ("ana", "beto", "carla"):
        kept.keep(name, 1, name, size=10)
    assert kept.find("ana", 1) == "ana"  # used: now beto is the longest unused
    kept.keep("dora", 1, "dora", size=10)
    assert [kept.find(name, 1) for name in ("ana", "beto", "carla", "dora")] == ["ana", None, "carla", "dora"]


def test_a_value_beyond_the_bound_is_not_kept_at_all() -> None:
    kept = KeptStarts(most=30)
    kept.keep("ana", 1, "small", size=10)
    kept.keep("beto", 1, "huge", size=31)
    assert (kept.find("beto", 1), len(kept)) == (None, 0)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(0, 40)), max_size=40))
def test_the_size_is_that_of_what_can_still_be_found_and_within_the_bound(
    steps: list[tuple[int, int, int]],
) -> None:
    kept = KeptStarts(most=100)
    latest: dict[int, tuple[int, int]] = {}
    for key, revision, size in steps:
        kept.keep(key, revision, (key, revision, size), size)
        latest[key] = (revision, size)
        found = {key: kept.find(key, revision) for key, (revision, size) in latest.items()}
        assert all(value in (None, (key, *latest[key])) for key, value in found.items())
        assert len(kept) == sum(value[2] for value in found.values() if value is not None) <= 100
