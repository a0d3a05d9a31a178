"""When to try again (F9): capped, jittered, never before the provider asked."""

import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.retry import LONGEST, next_attempt
from tests.core.values import NOW


@given(st.integers(1, 60), st.floats(0, 0.999), st.none() | st.floats(allow_nan=True, allow_infinity=True))
def test_the_wait_is_positive_and_capped(attempts: int, jitter: float, asked: float | None) -> None:
    wait = next_attempt(asked, attempts, NOW, jitter) - NOW
    assert timedelta(0) < wait <= timedelta(seconds=LONGEST + 2)


@given(st.floats(1, LONGEST), st.floats(0, 0.999))
def test_never_before_the_provider_asked(asked: float, jitter: float) -> None:
    assert next_attempt(asked, 1, NOW, jitter) - NOW >= timedelta(seconds=asked) - timedelta(microseconds=1)


def test_waits_grow_with_the_failures() -> None:
    waits = [next_attempt(None, attempts, NOW, 0.5) - NOW for attempts in range(1, 12)]
    assert waits == sorted(waits) and waits[0] < waits[-1]


@pytest.mark.parametrize("garbage", [-5.0, math.nan, 0.0])
def test_a_senseless_retry_after_falls_back_to_the_back_off(garbage: float) -> None:
    assert next_attempt(garbage, 3, NOW, 0.25) == next_attempt(None, 3, NOW, 0.25)
