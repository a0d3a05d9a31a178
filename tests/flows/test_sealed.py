"""Sign-ins at rest: only the right key and the right account open them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.clock import SystemClock
from syncd.core.ids import AccountId
from syncd.errors import AuthFailed
from syncd.flows.sealed import NONCE, SealedTokens, key_id, seal, unseal
from syncd.store import open_store
from tests.world.clock import VirtualClock
from tests.world.town import START

KEY, OTHER = b"k" * 32, b"o" * 32
ANA, BETO = AccountId("ana"), AccountId("beto")


@given(st.binary(max_size=500), st.binary(min_size=NONCE, max_size=NONCE))
def test_what_was_sealed_opens_again(token: bytes, nonce: bytes) -> None:
    assert unseal(KEY, ANA, seal(KEY, ANA, token, nonce)) == token


def test_another_secret_says_so_and_names_the_remedy() -> None:
    with pytest.raises(AuthFailed, match=r"secret is another one") as told:
        unseal(OTHER, ANA, seal(KEY, ANA, b"token", b"n" * NONCE))
    assert "syncd auth ana" in str(told.value)


def test_a_row_moved_to_another_account_does_not_open() -> None:
    with pytest.raises(AuthFailed, match="was altered"):
        unseal(KEY, BETO, seal(KEY, ANA, b"token", b"n" * NONCE))


@pytest.mark.parametrize("text", ["", "x", "not base64 !", "AAAA", "é"])
def test_nonsense_does_not_open_and_does_not_crash(text: str) -> None:
    with pytest.raises(AuthFailed):
        unseal(KEY, ANA, f"{key_id(KEY)}.{text}")


def test_a_changed_byte_is_noticed() -> None:
    sealed = seal(KEY, ANA, b"token", b"n" * NONCE)
    changed = sealed[:-6] + ("A" if sealed[-6] != "A" else "B") + sealed[-5:]
    with pytest.raises(AuthFailed):
        unseal(KEY, ANA, changed)


def test_the_store_never_holds_a_sign_in_in_clear() -> None:
    store = open_store(":memory:", VirtualClock(START), inline=True)
    tokens = SealedTokens(store, SystemClock(), ANA, lambda: KEY)
    assert tokens.load() is None
    tokens.save(b"canary-token")
    assert tokens.load() == b"canary-token"
    assert b"canary" not in store.snapshot()
    first = store.snapshot()
    tokens.save(b"canary-token")
    assert store.snapshot() != first, "a nonce came twice"
    store.close()
