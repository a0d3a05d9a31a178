"""What proves the sender of a webhook: exactly one header, compared in constant time as bytes. Knows no provider."""

import hashlib
import hmac
from collections.abc import Iterable, Sequence

from syncd.errors import BadSignature


def only_header(headers: Sequence[tuple[str, str]], name: str) -> str:
    """Return the one value of this header; none, several, an empty or a non-ASCII one raises BadSignature."""
    values = [value for key, value in headers if key.lower() == name.lower()]
    if len(values) != 1:
        raise BadSignature(f"{name}: exactly one is wanted, {len(values)} came")
    if not values[0] or not values[0].isascii():
        raise BadSignature(f"{name}: not a signature")
    return values[0]


def check_hmac(keys: Iterable[str], message: bytes, digest: str) -> None:
    """Compare a hexadecimal HMAC-SHA256 with every key, always all of them; raises BadSignature when none fits."""
    given = digest.encode("ascii", "replace")
    fits = [hmac.compare_digest(hmac_hex(key, message), given) for key in keys]
    if not any(fits):
        raise BadSignature("signed with none of our keys, or changed on the way")


def hmac_hex(key: str, message: bytes) -> bytes:
    return hmac.new(key.encode("utf-8"), message, hashlib.sha256).hexdigest().encode("ascii")
