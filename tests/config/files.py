"""A small configuration that is right in every line, and what becomes of it when something is changed."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from connectors import Specs
from syncd.config import Config, load
from syncd.errors import ConfigError

TODAY = date(2026, 11, 25)
NOWHERE = Path("/nowhere")
RIGHT = """\
[daemon]
time_zone = "America/Santiago"

[embedded_caldav]
enabled = true

[accounts.agenda]
kind = "calendly"
token = "a-token"
signing_keys = ["a-key"]
api_url = "http://127.0.0.1:1"

[[agents]]
id = "ana"
name = "Ana Soto"
email = "ana@example.cl"
hours = "oficina"
calendars = [{ account = "embedded", calendar = "ana/visits", role = "publish" }]

[[agents]]
id = "bruno"
name = "Bruno Rojas"
email = "bruno@example.cl"
hours = "oficina"
calendars = [
  { account = "embedded", calendar = "bruno/visits", role = "publish" },
]

[hours.oficina]
weekly = { mon = ["09:00-13:00", "14:00-18:00"], fri = ["09:00-14:00"] }
holidays = "CL"

[event_types.visita]
name = "Visita {{ proyecto }}"
duration = "20m"
buffer_after = "10m"
window = "15 business days"

[event_types.urgente]
name = "Urgente"
duration = "30m"

[projects.casas]
name = "Casas"
aliases = ["Las Casas"]
team = ["ana", "bruno"]
responsible = "ana"
event_types = { standard = "visita", urgent = "urgente" }
scheduler = { account = "agenda", standard = "https://x.example/1", urgent = "https://x.example/2" }

[[rules]]
event_type = "urgent"
any_requirement = { priority = "urgent" }
"""


def changed(*pairs: tuple[str, str], more: str = "") -> str:
    """Return the right text with each first text replaced by the second, and more at its end."""
    text = RIGHT
    for old, new in pairs:
        assert old in text, f"the right text has no {old!r}"
        text = text.replace(old, new, 1)
    return text + more


def loaded(text: str | bytes = RIGHT, *, base: Path = NOWHERE, env: Mapping[str, str] | None = None) -> Config:
    content = text if isinstance(text, bytes) else text.encode()
    return load(content, Specs(), file="c.toml", base=base, env=env or {}, today=TODAY)


def problems(text: str | bytes, *, base: Path = NOWHERE, env: Mapping[str, str] | None = None) -> list[str]:
    """Return the problems of a text, none where it is right."""
    try:
        loaded(text, base=base, env=env)
    except ConfigError as error:
        return error.problems
    return []


def line_of(text: str, part: str) -> int:
    """Return the number of the first line that holds a part."""
    return next(number for number, line in enumerate(text.splitlines(), 1) if part in line)


def only_problem(text: str, at: str, path: str) -> str:
    """Return the words of the one problem of a text, which must stand on the line that holds `at` and name `path`."""
    found = problems(text)
    assert len(found) == 1, found
    prefix = f"c.toml:{line_of(text, at)}: {path}: "
    assert found[0].startswith(prefix), f"{found[0]!r} does not begin with {prefix!r}"
    return found[0].removeprefix(prefix)
