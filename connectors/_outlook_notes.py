"""The words in an entry's body: which lines are ours and which the agent wrote beside them. Pure.

Graph keeps nothing beside an event that could be read back in the same request, so our lines are known by what we
remember: the digest of the draft that was put last.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from syncd.core.publish import EventDraft, Published

LONGEST = 80  # lines that are searched


def says(stands: str, wanted: str) -> bool:
    """Tell whether the wanted lines stand together in a body."""
    return not _lines(wanted) or _at(_lines(stands), _lines(wanted)) is not None


def rewritten(stands: str, draft: EventDraft, known: Published | None, *, untouched: bool) -> str | None:
    """Return the body with our lines as the draft wants them, None where it may stay as it is.

    Where an agent wrote into our lines the text is hers and stays. `untouched`: nobody changed the entry at all.
    """
    lines, wanted = _lines(stands), _lines(draft.body)
    place = _ours(lines, draft, known)
    if place is None and (untouched or not lines):
        place = (0, len(lines))
    if place is None:
        return None
    kept = [*lines[: place[0]], *wanted, *lines[place[1] :]]
    return "\n".join(kept) if kept != lines else None


def _ours(lines: list[str], draft: EventDraft, known: Published | None) -> tuple[int, int] | None:
    """Return where the lines of the draft that was put last stand, else those of the one wanted now."""
    found = next((place for place in _places(lines) if _was_put(lines[slice(*place)], draft, known)), None)
    if found is not None:
        return found
    wanted = _lines(draft.body)
    start = _at(lines, wanted) if wanted else None
    return None if start is None else (start, start + len(wanted))


def _places(lines: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield every run of lines, those from the top first: nothing above ours is the rule."""
    for start in range(min(len(lines), LONGEST)):
        for end in range(min(len(lines), start + LONGEST), start, -1):
            yield start, end


def _was_put(lines: Sequence[str], draft: EventDraft, known: Published | None) -> bool:
    if known is None or not known.content_hash:
        return False
    before = replace(draft, interval=known.interval, title=known.title, location=known.location, body="\n".join(lines))
    return before.content_hash == known.content_hash


def _at(lines: Sequence[str], wanted: Sequence[str]) -> int | None:
    """Return where lines stand among others."""
    starts = range(len(lines) - len(wanted) + 1)
    return next((start for start in starts if lines[start : start + len(wanted)] == wanted), None)


def _lines(text: str) -> list[str]:
    """Split as Exchange leaves it: ends of lines trimmed, empty lines at the end added."""
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    return lines
