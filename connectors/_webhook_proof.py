"""What proves the sender of a webhook whose variant the configuration declares: an HMAC in one of its spellings, or a
token. The algorithm is never taken from the call; the raw bytes are checked before anything is decoded."""

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import UTC, datetime

from connectors._signature import only_header
from connectors._webhook_parts import Auth
from syncd.errors import BadSignature
from syncd.ports import Call

_SECONDS = re.compile(r"[0-9]{1,11}|[0-9]{13}")


def verify(auth: Auth, call: Call) -> None:
    """Check one call; raises BadSignature."""
    if auth.mode == "none":
        return
    header = only_header(call.headers, auth.header or "")
    if auth.mode == "token":
        _same(auth.keys, header)
        return
    stamp = _stamp(auth, call.headers)
    before, after = auth.signed.replace("{t}", stamp).split("{body}")
    given = _digest(auth, _part(header, auth.signature.part))
    message = before.encode() + call.body + after.encode()
    fits = [hmac.compare_digest(hmac.new(key.encode(), message, hashlib.sha256).digest(), given) for key in auth.keys]
    if not any(fits):
        raise BadSignature("signed with none of our secrets, or changed on the way")
    _check_age(auth, stamp, call.now)


def _same(keys: Sequence[str], given: str) -> None:
    """Compare a static token with every live one, as bytes and always all of them."""
    fits = [hmac.compare_digest(key.encode(), given.encode("ascii", "replace")) for key in keys]
    if not any(fits):
        raise BadSignature("the token is none of ours")


def _digest(auth: Auth, text: str) -> bytes:
    """Read a signature as bytes: hexadecimal in any case, or base64; anything else raises BadSignature."""
    if not text.startswith(auth.prefix):
        raise BadSignature(f"a signature begins with {auth.prefix}")
    text = text.removeprefix(auth.prefix)
    try:
        if auth.digest == "hex":
            return bytes.fromhex(text) if re.fullmatch(r"[0-9A-Fa-f]{64}", text) else b""
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise BadSignature("a signature that cannot be decoded") from None


def _part(header: str, name: str) -> str:
    """Return the whole header, or the one part of `k=v,k=v` with this name."""
    if not name:
        return header
    found = [value for key, _, value in (one.partition("=") for one in header.split(",")) if key.strip() == name]
    if len(found) != 1:
        raise BadSignature(f"a signature of the form {name}=… is wanted exactly once")
    return found[0]


def _stamp(auth: Auth, headers: Sequence[tuple[str, str]]) -> str:
    if auth.timestamp is None:
        return ""
    stamp = _part(only_header(headers, auth.timestamp.header), auth.timestamp.part)
    if not _SECONDS.fullmatch(stamp):
        raise BadSignature("the time of signing is no number of seconds")
    return stamp


def _check_age(auth: Auth, stamp: str, now: datetime) -> None:
    """A replay shows by its age; without a tolerance it is only known by its key."""
    if auth.tolerance is None:
        return
    seconds = int(stamp) / (1000 if len(stamp) == 13 else 1)
    if abs(now - datetime.fromtimestamp(seconds, UTC)) > auth.tolerance:
        raise BadSignature("signed outside the tolerance; is a clock wrong?")
