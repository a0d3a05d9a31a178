"""Mappings that are shipped: TOML fragments under a user's own keys, which override them one by one."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "presets"


@cache
def names() -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


@cache
def _text(name: str) -> str:
    return (FOLDER / f"{name}.toml").read_text(encoding="utf-8")


def merged(raw: Any) -> Any:
    """Return a user's table over the preset it names; raises ValueError for a name there is no preset of."""
    name = raw.get("preset") if isinstance(raw, dict) else None
    if not isinstance(name, str):
        return raw
    if name not in names():
        raise ValueError(f'"{name[:40]}" is no preset; there are {", ".join(names())}')
    return over(tomllib.loads(_text(name)), raw)


def over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Lay one table over another, table by table; a list replaces a list."""
    found = dict(below)
    for key, value in above.items():
        known = found.get(key)
        found[key] = over(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return found
