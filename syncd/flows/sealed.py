"""Keeps the sign-ins of accounts, sealed: what a stolen copy of the store shows is of no use.

AES-256-GCM under a key derived from the daemon's secret. The account's id is bound in, so that a row moved to another
account does not open.
"""

import base64
import hashlib
from collections.abc import Callable

from syncd.clock import Clock
from syncd.core.ids import AccountId
from syncd.errors import AuthFailed
from syncd.store import Store

NAME = "sign_in"
NONCE = 12  # bytes (NIST SP 800-38D, 5.2.1.1)


class SealedTokens:
    """The one sign-in of one account; `key` gives 32 bytes."""

    def __init__(self, store: Store, clock: Clock, account: AccountId, key: Callable[[], bytes]) -> None:
        self._store = store
        self._clock = clock
        self._account = account
        self._key = key

    def load(self) -> bytes | None:
        """Return the sign-in, None where nobody has signed in; raises AuthFailed where the secret has changed."""
        with self._store.read() as tx:
            sealed = tx.accounts.get(self._account, NAME)
        return None if sealed is None else unseal(self._key(), self._account, sealed)

    def save(self, token: bytes) -> None:
        """Keep a sign-in durably in the place of the one before."""
        nonce = bytes.fromhex(self._clock.new_id())[:NONCE]
        sealed = seal(self._key(), self._account, token, nonce)
        self._store.write(lambda tx: tx.accounts.put(self._account, NAME, sealed))


def seal(key: bytes, account: AccountId, token: bytes, nonce: bytes) -> str:
    """Return text that only this key opens, and only for this account; `nonce` must never come twice."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # 6 MiB: only where accounts are signed in

    closed = AESGCM(key).encrypt(nonce, token, account.encode())
    return f"{key_id(key)}.{base64.b64encode(nonce + closed).decode()}"


def unseal(key: bytes, account: AccountId, sealed: str) -> bytes:
    """Open what was sealed; raises AuthFailed, because signing in again is the remedy."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    mark, _, text = sealed.partition(".")
    lost = f"{account}: the stored sign-in does not open any more; run `syncd auth {account}`"
    if mark != key_id(key):
        raise AuthFailed(f"{lost} ([daemon] secret is another one)")
    try:
        whole = base64.b64decode(text, validate=True)
        return AESGCM(key).decrypt(whole[:NONCE], whole[NONCE:], account.encode())
    except (ValueError, InvalidTag):
        raise AuthFailed(f"{lost} (it was altered)") from None


def key_id(key: bytes) -> str:
    """Return a short mark of a key that says nothing about it."""
    return hashlib.sha256(b"key id:" + key).hexdigest()[:8]
