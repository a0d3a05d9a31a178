"""The state directory: ours alone, and the secret that everything signed is derived from."""

import hashlib
import hmac
import os
import stat
from pathlib import Path

from syncd.clock import Clock

KEPT_IN = "secret"


class Unsafe(Exception):
    """The state directory cannot be trusted; the text says why and what to do."""


def prepare_folder(folder: Path) -> None:
    """Make the folder where it is missing and see that it is ours alone; raises Unsafe.

    A link is followed (systemd's DynamicUser makes one) and judged at its target, unless a stranger put it there.
    """
    try:
        if folder.is_symlink() and folder.lstat().st_uid not in (0, os.geteuid()):
            raise Unsafe(f"{folder} is a link that another user made; remove it")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _judge(folder)
    except OSError as error:
        raise Unsafe(f"{folder} cannot be used: {error.strerror}") from None


def _judge(folder: Path) -> None:
    """See that the folder belongs to us and that nobody else writes there; reading by others is ended."""
    found = folder.stat()
    if found.st_uid != os.geteuid():
        raise Unsafe(f"{folder} belongs to user {found.st_uid}; run syncd as that user, or name another folder")
    if found.st_mode & 0o022:
        raise Unsafe(
            f"others may write into {folder} (mode {stat.S_IMODE(found.st_mode):04o}); "
            f"see that nothing foreign lies in it, then run: chmod 700 {folder}"
        )
    if found.st_mode & 0o077:
        folder.chmod(0o700)


def read_secret(folder: Path) -> str | None:
    """Return the daemon's secret, None where none was made yet; raises Unsafe where others could read it."""
    path = folder / KEPT_IN
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), encoding="ascii") as file:
            mode = os.fstat(file.fileno()).st_mode
            secret = file.read().strip()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise Unsafe(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}") from None
    if mode & 0o077:
        raise Unsafe(f"others may read {path} (mode {stat.S_IMODE(mode):04o}); run: chmod 600 {path}")
    if len(secret) < 32:
        raise Unsafe(f"{path} is damaged; restore it from a backup: links that were sent depend on it")
    return secret


def make_secret(folder: Path, clock: Clock) -> str:
    """Return the daemon's secret, made now if there is none. A crash leaves a whole secret or none."""
    known = read_secret(folder)
    if known is not None:
        return known
    draft = folder / f"{KEPT_IN}.{clock.new_id()}"
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(clock.new_id() + clock.new_id() + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, folder / KEPT_IN)  # unlike a rename, it never replaces what somebody else just made
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        _sync(folder)
    except OSError as error:
        raise Unsafe(f"no secret can be made in {folder}: {error.strerror}") from None
    made = read_secret(folder)
    if made is None:
        raise Unsafe(f"{folder / KEPT_IN} vanished while it was made")
    return made


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def derive(secret: str, purpose: str) -> bytes:
    """Return the key for one purpose: HKDF (RFC 5869) with SHA-256, one block."""
    root = hmac.new(b"syncd", secret.encode(), hashlib.sha256).digest()
    return hmac.new(root, purpose.encode() + b"\x01", hashlib.sha256).digest()


def sign_id(key: bytes, name: str) -> str:
    """Return "<name>.<mark>": a name that only the holder of the key can have issued. The mark has 64 bits."""
    return f"{name}.{_mark(key, name)}"


def read_signed_id(key: bytes, signed: str) -> str | None:
    """Return the name inside, None where the mark is not ours; equally quick for every wrong one."""
    name, dot, mark = signed.rpartition(".")
    right = hmac.compare_digest(_mark(key, name).encode(), mark.encode(errors="replace"))
    return name if dot and right else None


def _mark(key: bytes, name: str) -> str:
    return hmac.new(key, name.encode(errors="replace"), hashlib.sha256).hexdigest()[:16]
