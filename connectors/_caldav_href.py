"""Hrefs of a multistatus: one spelling each, of one server, inside one collection. Opens nothing."""

import re
from urllib.parse import quote, unquote_to_bytes

from connectors._address import Reach
from syncd.errors import Permanent, Unreadable

_PLAIN = re.compile(r"/(?:[A-Za-z0-9_~-][A-Za-z0-9._~-]*/)*(?:[A-Za-z0-9_~-][A-Za-z0-9._~-]*)?")
_RAW = re.compile(r"[^!-~]+|[\"<>{}|^`\\]+")


def normal(path: str) -> str:
    """Return the one spelling of a path: each segment unquoted, then quoted (facts: case of %xx, @ or %40).

    Raises Unreadable for a path that climbs (H109).
    """
    if _PLAIN.fullmatch(path):
        return path
    segments = [unquote_to_bytes(segment) for segment in path.split("/")]
    if any(segment in (b".", b"..") for segment in segments):
        raise Unreadable("an href climbs out of its collection")
    return "/".join(quote(segment, safe="") for segment in segments)


def path_of(href: str, reach: Reach, base: str) -> str:
    """Return the path that an href names, as `normal` spells it; raises Unreadable for another server's."""
    if _PLAIN.fullmatch(href):
        return href
    written = _RAW.sub(lambda raw: quote(raw[0]), href)
    if not written or "?" in written:
        raise Unreadable("an href is empty or has a query")
    segments = written.split("/")
    if any(unquote_to_bytes(segment) in (b".", b"..") for segment in segments):
        raise Unreadable("an href climbs out of its collection")
    try:
        return normal(reach.target(written, f"{reach.origin}{base}"))
    except Permanent as error:
        raise Unreadable(f"an href is not followed: {error}") from None


def folder(path: str) -> str:
    """Return a collection's path with the slash that members' paths are joined to."""
    return path if path.endswith("/") else path + "/"


def parent(path: str) -> str:
    return path.rstrip("/").rpartition("/")[0] + "/"


def member(href: str, reach: Reach, collection: str) -> str | None:
    """Return the path of an entry of a collection, None for the collection itself and collections inside it.

    Raises Unreadable for what lies outside (H109).
    """
    path = path_of(href, reach, collection)
    if folder(path) == collection or (path.endswith("/") and path.startswith(collection)):
        return None
    if not path.startswith(collection):
        raise Unreadable("an href lies outside the collection that was asked")
    return path
