"""An administrator's own words: templates in a small corner of Jinja2, looked over before use, filled without surprise.

What a template may do is listed, not what it may not: names, conditions, a few filters. So its time and size are
bounded by its length, and a client's words, which only ever come as values, are never looked into again (H68).
"""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import nodes
    from jinja2.sandbox import ImmutableSandboxedEnvironment

LONGEST = 50_000  # characters that one message may become
ANSWERS = 10

# The names the post-sale system's administrators know, beside ours; both mean the same value.
NAMES: Mapping[str, str] = {
    "nombre_del_evento": "event_name",
    "nombre_del_agente": "agent_name",
    "hora_del_evento": "event_time",
    "fecha_del_evento": "event_date",
    "nombre_completo_del_invitado": "client_name",
    "lugar": "location",
    "preguntas_y_respuestas": "questions_and_answers",
    "proyecto": "project",
    "propiedad": "property",
    "mensaje": "message",
    "fecha_anterior": "previous_date",
    "hora_anterior": "previous_time",
    "enlace_visita": "visit_link",
    "enlace_reserva": "booking_link",
    "enlace_propuesta": "proposal_link",
    "correo_de_contacto": "contact_email",
    **{f"respuesta_{number}": f"answer_{number}" for number in range(1, ANSWERS + 1)},
}
# Those that titles of calendar entries use as well (core.template).
ALSO: Mapping[str, str] = {
    "direccion": "location",
    "tipo": "event_name",
    "agente": "agent_name",
    "cliente": "client_name",
}
VARIABLES = frozenset({*NAMES, *NAMES.values(), *ALSO})
FILTERS = frozenset({"upper", "lower", "capitalize", "title", "trim", "default", "d"})
ALLOWED = frozenset(
    "Template Output TemplateData Name Const If CondExpr Compare Operand And Or Not Filter Concat Test".split()
)
TESTS = frozenset({"defined", "none"})


class TooLarge(ValueError):
    """The message came out longer than any message may be."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a template, and in which of its lines."""

    line: int
    text: str


def values_of(english: Mapping[str, str]) -> dict[str, str]:
    """Return every variable under all its names; what is not known is empty."""
    found = {name: english.get(name, "") for name in NAMES.values()}
    return found | {name: found[means] for name, means in (*NAMES.items(), *ALSO.items())}


def render(template: str, values: Mapping[str, str]) -> str:
    """Return the template filled. Raises TooLarge; a template that `faults_of` refuses is refused here as well."""
    faults = faults_of(template)
    if faults:
        raise ValueError(faults[0].text)
    parts: list[str] = []
    size = 0
    for part in _env().from_string(template).generate(values):
        size += len(part)
        if size > LONGEST:
            raise TooLarge(f"the message is longer than {LONGEST} characters")
        parts.append(part)
    return "".join(parts)


def faults_of(template: str) -> list[Fault]:
    """Say everything that is wrong with a template, by line; then fill it with a sample."""
    from jinja2 import TemplateError, TemplateSyntaxError

    try:
        tree = _env().parse(template)
        found = list(dict.fromkeys(_faults(tree)))
        if found:
            return found
        "".join(_env().from_string(template).generate(SAMPLE))
    except TemplateSyntaxError as error:
        return [Fault(error.lineno, f"cannot be read: {error.message}")]
    except RecursionError:
        return [Fault(1, "is nested too deep; write it simpler")]
    except (TemplateError, TypeError, ValueError) as error:
        return [Fault(1, f"cannot be filled: {error}")]
    return []


def _faults(tree: "nodes.Node") -> Iterator[Fault]:
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if type(node).__name__ not in ALLOWED:
            yield Fault(node.lineno, f"{_what(node)} is not possible here; write {{{{ names }}}} and {{% if %}} only")
            continue
        yield from _fault(node)
        waiting += reversed(list(node.iter_child_nodes()))


def _fault(node: Any) -> Iterator[Fault]:
    kind = type(node).__name__
    if kind == "Name" and node.name not in VARIABLES:
        yield Fault(node.lineno, f"there is no variable {node.name!r}; {_nearest(node.name, VARIABLES)}")
    elif kind == "Filter" and node.name not in FILTERS:
        yield Fault(node.lineno, f"there is no filter {node.name!r}; {_nearest(node.name, FILTERS)}")
    elif kind == "Test" and node.name not in TESTS:
        yield Fault(node.lineno, f"there is no test {node.name!r}; {_nearest(node.name, TESTS)}")


def _what(node: "nodes.Node") -> str:
    words = {"For": "a loop", "Call": "a call", "Getattr": "a dot", "Getitem": "an index", "Mul": "a multiplication"}
    return words.get(type(node).__name__, type(node).__name__.lower())


def _nearest(name: str, known: frozenset[str]) -> str:
    near = difflib.get_close_matches(name.casefold(), sorted(known), 1, 0.5)
    return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(known))}"


@cache
def _env() -> "ImmutableSandboxedEnvironment":
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    env = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)
    env.globals.clear()
    return env


SAMPLE = values_of(
    {
        "event_name": "Visita estándar",
        "agent_name": "Ana Soto",
        "event_time": "10:00",
        "event_date": "martes, 12 de mayo de 2026",
        "client_name": "María Pérez",
        "location": "Av. Siempre Viva 742",
        "questions_and_answers": "Número de propiedad: 402",
        "project": "Casas PlanOK",
        "property": "Torre A, 402",
        "previous_date": "lunes, 11 de mayo de 2026",
        "previous_time": "09:00",
        "visit_link": "https://visitas.example.cl/v/x",
        "booking_link": "https://visitas.example.cl/b/x",
        "proposal_link": "https://visitas.example.cl/p/x",
        "contact_email": "ana@example.cl",
        "answer_1": "402",
    }
)
