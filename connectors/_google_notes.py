"""Which lines of a description are ours, and which the agent wrote: hers survive every change of ours.

Google keeps descriptions as text or as simple HTML, in which its own editor turns line ends into <br>.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence

_END = re.compile(r"\r\n|\n|<br\s*/?>", re.IGNORECASE)


def mark_of(text: str) -> str:
    """Return what tells our lines again later: their number and a digest."""
    return _fingerprint(_lines(text)) if text else ""


def says(stands: str, wanted: str) -> bool:
    """Tell whether our lines stand together in a description."""
    lines, ours = _lines(stands), _lines(wanted)
    return any(lines[at : at + len(ours)] == ours for at in range(len(lines) - len(ours) + 1))


def merged(stands: str, mark: str, wanted: str) -> str:
    """Replace our lines by the wanted ones; where an agent wrote into them, the text is hers and stays."""
    if says(stands, wanted) and (wanted or not mark):
        return stands
    lines = _lines(stands)
    place = next(_places(lines, mark), None)
    if place is None:
        return stands if stands.strip() else wanted
    between = "<br>" if "<br" in stands.lower() else "\n"
    return between.join([*lines[: place[0]], *_lines(wanted), *lines[place[1] :]])


def _places(lines: Sequence[str], mark: str) -> Iterator[tuple[int, int]]:
    """Yield where lines with our fingerprint stand."""
    length, _, _ = mark.partition("-")
    if length.isascii() and length.isdigit() and 0 < int(length) <= len(lines):
        for start in range(len(lines) - int(length) + 1):
            if _fingerprint(lines[start : start + int(length)]) == mark:
                yield start, start + int(length)


def _fingerprint(lines: Sequence[str]) -> str:
    return f"{len(lines)}-{hashlib.sha256(chr(10).join(lines).encode()).hexdigest()[:16]}"


def _lines(text: str) -> list[str]:
    """Split as Google leaves it: ends of lines may be trimmed."""
    return [line.rstrip() for line in _END.split(text)] if text else []
