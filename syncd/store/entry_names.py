"""Names of strangers' entries in few bytes: hashes to find them by, and UIDs that follow from remote ids left out."""

import zlib


def stem_of(remote_id: str) -> str:
    """Return the part of a remote id that most servers make of the UID: the last segment, without `.ics`."""
    return remote_id.rpartition("/")[2].removesuffix(".ics")


def stems_of(uid: str) -> tuple[str, str]:
    """Return the stems that a UID may follow from: CalDAV servers use all of it, Google what stands before the @."""
    return uid, uid.partition("@")[0]


def follows(uid: str, stem: str) -> bool:
    return stem in stems_of(uid)


def kept_uid(uid: str, stem: str) -> str:
    """Return what is kept of a UID beside its remote id."""
    return f"={uid.removeprefix(stem)}" if follows(uid, stem) else f":{uid}"


def uid_of(kept: str, remote_id: str) -> str:
    """Return the UID again."""
    return stem_of(remote_id) + kept[1:] if kept.startswith("=") else kept[1:]


def hash_of(name: str) -> int:
    """Return 32 bits, signed, which SQLite keeps in four bytes; whoever looks by it compares the names as well."""
    return zlib.crc32(name.encode()) - (1 << 31)
