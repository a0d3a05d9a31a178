"""Bearer tokens, and the brake on guessing them."""

from collections import UserDict
from collections.abc import ItemsView
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from syncd.web import auth
from syncd.web.auth import Limiter, caller
from syncd.web.problems import Problem
from tests.world.clock import VirtualClock

TOKENS = {"crm": "token-of-the-crm", "panel": "ñandú", "unset": ""}


def clock() -> VirtualClock:
    return VirtualClock(datetime(2026, 5, 4, tzinfo=UTC))


def asked(*authorization: str, address: str = "192.0.2.1") -> Request:
    headers = [(b"authorization", one.encode()) for one in authorization]
    return Request({"type": "http", "headers": headers, "client": (address, 1234)})


def limiter(most: int = 3) -> Limiter:
    return Limiter(clock(), most, 60)


def kind_of(request: Request, brake: Limiter) -> tuple[str, dict[str, str]]:
    with pytest.raises(Problem) as told:
        caller(request, TOKENS, brake)
    return told.value.kind, dict(told.value.headers or {})


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_token_names_its_caller(scheme: str) -> None:
    assert caller(asked(f"{scheme} token-of-the-crm"), TOKENS, limiter()) == "crm"
    assert caller(asked(f"{scheme} ñandú"), TOKENS, limiter()) == "panel"


@pytest.mark.parametrize(
    "given",
    [
        (),
        ("",),
        ("Bearer",),
        ("Bearer ",),  # a token that is not set opens nothing
        ("Bearer token-of-the-crm ,",),
        ("Bearer Token-of-the-crm",),
        ("Bearer token-of-the-crm\0",),
        ("Basic token-of-the-crm",),
        ("token-of-the-crm",),
        ("Bearer wrong",),
        ("Bearer token-of-the-crm", "Bearer token-of-the-crm"),
        ("Bearer \udcff".encode("utf-8", "surrogateescape").decode("latin-1"),),
    ],
)
def test_anything_else_is_unauthorized_with_a_challenge(given: tuple[str, ...]) -> None:
    kind, headers = kind_of(asked(*given), limiter())
    assert (kind, headers["WWW-Authenticate"]) == ("unauthorized", "Bearer")


@given(st.text(max_size=40))
def test_no_text_but_the_token_opens(text: str) -> None:
    request = Request({"type": "http", "headers": [(b"authorization", f"Bearer {text}".encode("utf-8", "replace"))]})
    if text.strip() not in TOKENS.values() or not text.strip():
        with pytest.raises(Problem):
            caller(request, TOKENS, limiter())


def test_every_token_is_compared_so_that_time_tells_nothing() -> None:
    seen: list[str] = []

    class Watched(UserDict[str, str]):
        def items(self) -> ItemsView[str, str]:
            seen.extend(self.data)
            return super().items()

    assert caller(asked("Bearer token-of-the-crm"), Watched(TOKENS), limiter()) == "crm"
    assert seen == list(TOKENS)
    assert "compare_digest" in auth._name_of.__code__.co_names


def test_guessing_is_braked_per_address_and_the_right_token_never_is() -> None:
    brake = limiter(3)
    for _ in range(3):
        assert kind_of(asked("Bearer wrong"), brake)[0] == "unauthorized"
    kind, headers = kind_of(asked("Bearer wrong"), brake)
    assert kind == "rate-limited" and 1 <= int(headers["Retry-After"]) <= 60
    assert kind_of(asked(), brake)[0] == "rate-limited"
    assert kind_of(asked("Bearer wrong", address="192.0.2.2"), brake)[0] == "unauthorized"
    assert caller(asked("Bearer token-of-the-crm"), TOKENS, brake) == "crm"


def test_coming_without_a_token_is_no_guess() -> None:
    brake = limiter(1)
    for _ in range(5):
        assert kind_of(asked(), brake)[0] == "unauthorized"


def test_the_brake_lets_go_when_the_window_has_moved_on() -> None:
    time = clock()
    brake = Limiter(time, 2, 60)
    brake.failed("a")
    time.advance(timedelta(seconds=59))
    brake.failed("a")
    assert brake.wait("a") == 1
    time.advance(timedelta(seconds=1))
    assert brake.wait("a") == 0
    brake.failed("a")
    assert brake.wait("a") == 59


def test_setting_the_wall_clock_does_not_release_the_brake() -> None:
    time = clock()
    brake = Limiter(time, 1, 60)
    brake.failed("a")
    time.advance(timedelta(days=-1))
    assert brake.wait("a") == 60


def test_the_brake_remembers_a_bounded_number_of_keys() -> None:
    brake = limiter(1)
    for number in range(auth.REMEMBERED + 1):
        brake.failed(str(number))
    assert brake.wait("0") == 0 and brake.wait("1") > 0
