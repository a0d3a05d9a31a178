"""The path language of the webhook mapping: dotted names, [n] and [?key==value]. Nothing is ever evaluated.

`payload.questions[?question==Propiedad].answer` is all there is; a missing step yields None, never an error.
"""

import re
from dataclasses import dataclass
from typing import Any

LONGEST = 300

_STEP = re.compile(
    r"(?P<dot>\.)?(?:(?P<name>[^.\[\]\s]+)|\[(?P<number>[0-9]{1,4})\]|\[\?(?P<key>[^=\[\]]+)==(?P<value>[^\[\]]*)\])"
)


@dataclass(frozen=True, slots=True)
class Match:
    """The first object of a list whose value under `key`, as text, is `value`."""

    key: str
    value: str


Step = str | int | Match


def read_path(text: str) -> tuple[Step, ...]:
    """Take a path apart; raises ValueError saying what is wrong with it. An empty one has no steps."""
    if len(text) > LONGEST:
        raise ValueError(f"a path of more than {LONGEST} characters")
    steps: list[Step] = []
    at = 0
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None or bool(match["dot"]) != (match["name"] is not None and at > 0):
            raise ValueError(
                f'"{text}" is no path (see character {at + 1}); write names.with.dots, [0] or [?key==value]'
            )
        steps.append(_step(match))
        at = match.end()
    return tuple(steps)


def _step(match: re.Match[str]) -> Step:
    if match["number"] is not None:
        return int(match["number"])
    if match["key"] is not None:
        return Match(match["key"].strip(), match["value"].strip())
    return match["name"]


def follow(document: Any, steps: tuple[Step, ...]) -> Any:
    """Return what stands at a path, None where any step leads nowhere."""
    value = document
    for step in steps:
        value = _next(value, step)
        if value is None:
            return None
    return value


def _next(value: Any, step: Step) -> Any:
    if isinstance(step, str):
        return value.get(step) if isinstance(value, dict) else None
    if not isinstance(value, list):
        return None
    if isinstance(step, int):
        return value[step] if step < len(value) else None
    return next((one for one in value if isinstance(one, dict) and plain(one.get(step.key)) == step.value), None)


def plain(value: Any) -> str | None:
    """Write a text, a number or a truth value as text; None for anything else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) else None
