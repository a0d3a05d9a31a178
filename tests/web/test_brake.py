"""The brake on guesses and floods: what it holds up, for how long, in words, and what it never holds up."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from syncd.language import LANGUAGES
from syncd.web.brake import POSTS_OF_ADDRESS, POSTS_OF_LINK, WRONG_LINKS
from tests.web.doorway import Doorway, doorway
from tests.web.markup import faults

MINUTE = timedelta(minutes=1)


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Doorway]:
    with doorway(tmp_path) as found:
        yield found


@pytest.mark.parametrize("language", LANGUAGES)
def test_guesses_are_held_up_in_words_for_a_minute(door: Doorway, language: str) -> None:
    spoken = {"Accept-Language": language}
    assert [door.get(f"/b/{n}", **spoken).status_code for n in range(WRONG_LINKS)] == [404] * WRONG_LINKS
    held = door.get("/b/more", **spoken)
    assert (held.status_code, held.headers["Content-Language"]) == (429, language)
    assert 0 < int(held.headers["Retry-After"]) <= 60
    assert faults(held.text) == []
    door.clock.advance(MINUTE)
    assert door.get("/b/more", **spoken).status_code == 404


def test_whoever_keeps_guessing_slowly_is_let_guess(door: Doorway) -> None:
    for number in range(3 * WRONG_LINKS):
        door.clock.advance(timedelta(seconds=3, milliseconds=1))
        assert door.get(f"/b/{number}").status_code == 404


def test_a_right_link_is_never_held_up_by_the_guesses_of_a_neighbour(door: Doorway) -> None:
    """One address may be a whole town of telephones, or a proxy that nobody configured."""
    path = door.link("request:right")
    for number in range(3 * WRONG_LINKS):
        door.get(f"/b/{number}")
    assert door.get("/b/x").status_code == 429
    assert door.get(path).status_code == 200
    assert door.post(path).status_code == 200


def test_a_closed_link_looks_like_an_unknown_one_when_held_up_too(door: Doorway) -> None:
    old = door.link("request:old")
    door.link("request:old", renew=True)
    for number in range(WRONG_LINKS):
        door.get(f"/b/{number}")
    once, never = door.get(old), door.get("/b/x")
    assert (once.status_code, once.text) == (never.status_code, never.text) and once.status_code == 429


def test_posts_on_one_link_are_held_up_and_looking_is_not(door: Doorway) -> None:
    path, other = door.link("request:busy"), door.link("request:calm")
    assert {door.post(path).status_code for _ in range(POSTS_OF_LINK)} == {200}
    held = door.post(path, {"name": "Eva"})
    assert held.status_code == 429 and 0 < int(held.headers["Retry-After"]) <= 60
    assert len(door.done) == POSTS_OF_LINK, "what is held up does nothing"
    assert door.get(path).status_code == 200
    assert door.post(other).status_code == 200
    door.clock.advance(MINUTE)
    assert door.post(path).status_code == 200


def test_posts_of_one_address_are_held_up(door: Doorway) -> None:
    links = [door.link(f"request:{number}") for number in range(POSTS_OF_ADDRESS // POSTS_OF_LINK + 1)]
    codes = [door.post(links[number // POSTS_OF_LINK]).status_code for number in range(POSTS_OF_ADDRESS)]
    assert codes == [200] * POSTS_OF_ADDRESS
    assert door.post(links[-1]).status_code == 429


def test_a_forged_address_is_the_same_address(door: Doorway) -> None:
    """H28: forwarded headers of a peer that is no proxy of ours change no count."""
    for number in range(WRONG_LINKS):
        door.get(f"/b/{number}", **{"X-Forwarded-For": f"192.0.2.{number}"})
    assert door.get("/b/x", **{"X-Forwarded-For": "198.51.100.7"}).status_code == 429


def test_a_link_of_any_length_is_remembered_in_little_room(door: Doorway) -> None:
    from syncd.web.brake import _name  # the one thing that cannot be seen from outside

    assert {len(_name("x" * size)) for size in (0, 1, 43, 15_000)} == {64}
