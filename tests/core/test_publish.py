"""The three states of a calendar entry and the one step between them."""

from datetime import timedelta

import pytest

from syncd.core.publish import (
    Delete,
    EventKey,
    Forget,
    HoldOff,
    Presence,
    Put,
    next_step,
    presence_of,
)
from tests.core.values import KEY, NOW, TUESDAY, draft, published, span


def test_a_wanted_entry_that_is_nowhere_is_created() -> None:
    assert next_step(draft(), None, NOW) == Put(draft=draft(), known=None)


def test_an_entry_as_wanted_needs_nothing() -> None:
    assert next_step(draft(), published(), NOW) is None


def test_nothing_wanted_and_nothing_there_needs_nothing() -> None:
    assert next_step(None, None, NOW) is None


def test_an_entry_with_other_content_is_updated() -> None:
    assert next_step(draft("Otra"), published(), NOW) == Put(draft=draft("Otra"), known=published())


def test_an_unwanted_entry_is_deleted_and_one_already_gone_is_forgotten() -> None:
    assert next_step(None, published(), NOW) == Delete(known=published())
    gone = published(presence=Presence.GONE)
    assert next_step(None, gone, NOW) == Forget(known=gone)


def test_an_adopted_entry_is_never_rewritten_but_deleted_when_unwanted() -> None:
    adopted = published(adopted=True, content_hash="")
    assert next_step(draft("Otra"), adopted, NOW) is None
    assert next_step(None, adopted, NOW) == Delete(known=adopted)


def test_a_deleted_entry_comes_back_only_where_policy_restores_it() -> None:
    gone = published(presence=Presence.GONE)
    assert next_step(draft(), gone, NOW, restore=False) is None
    assert next_step(draft(), gone, NOW) == Put(draft=draft(), known=None, rewrite=True)


@pytest.mark.parametrize("presence", [Presence.CHANGED, Presence.GONE])
def test_three_rewrites_a_day_and_then_no_more_against_a_person(presence: Presence) -> None:
    hours = [NOW - timedelta(hours=n) for n in (1, 2, 3)]
    twice = published(presence=presence, rewrites=tuple(hours[:2]))
    assert isinstance(next_step(draft(), twice, NOW), Put)
    thrice = published(presence=presence, rewrites=tuple(hours))
    assert next_step(draft(), thrice, NOW) == HoldOff(known=thrice)
    yesterday = published(presence=presence, rewrites=(*hours[:2], NOW - timedelta(hours=25)))
    assert isinstance(next_step(draft(), yesterday, NOW), Put)


def test_a_visit_that_changes_is_written_even_after_a_fight() -> None:
    fought = published(presence=Presence.CHANGED, rewrites=(NOW,) * 3)
    assert isinstance(next_step(draft("Nuevo título"), fought, NOW), Put)


def test_a_step_done_leaves_nothing_to_do() -> None:
    done = published(content_hash=draft("X").content_hash, title="X")
    assert next_step(draft("X"), done, NOW) is None


def test_colour_and_notes_do_not_count_as_a_change() -> None:
    assert presence_of(published(), span(TUESDAY), "  Visita ", "") is Presence.AS_PUT


@pytest.mark.parametrize(
    ("seen", "title", "location"),
    [
        (span(NOW), "Visita", ""),
        (span(TUESDAY), "Almuerzo", ""),
        (span(TUESDAY), "Visita", "Bar"),
        (None, "Visita", ""),
    ],
)
def test_time_title_and_place_count_as_a_change(seen: object, title: str, location: str) -> None:
    assert presence_of(published(), seen, title, location) is Presence.CHANGED  # type: ignore[arg-type]


def test_a_key_survives_its_text() -> None:
    odd = EventKey("visit:v1", KEY.calendar)
    assert EventKey.parse(str(odd)) == odd
    with_at = EventKey("visit:v1", type(KEY.calendar)("gmail/ana@example.cl"))
    assert EventKey.parse(str(with_at)) == with_at
