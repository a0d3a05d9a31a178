"""Fills `{{ name }}` in titles and bodies of calendar entries; plain substitution, so client text is never a
template."""

import re
from collections.abc import Mapping

_HOLE = re.compile(r"\{\{\s*([a-z_0-9]+)\s*\}\}")
SEPARATORS = " \t-–—:|,·/"
VARIABLES = frozenset(
    {
        "proyecto",
        "direccion",
        "tipo",
        "agente",
        "cliente",
        "propiedad",
        "preguntas_y_respuestas",
        *(f"respuesta_{number}" for number in range(1, 11)),
    }
)


def holes(template: str) -> list[str]:
    """List the variables a template asks for, in order."""
    return _HOLE.findall(template)


def fill(template: str, values: Mapping[str, str]) -> str:
    """Return the template with each variable replaced once; a value absent leaves nothing behind.

    A dash or comma that stood before a last variable without a value goes with it ("Visita Casas - "). Values are not
    looked into again: "{{ 7*7 }}" typed by a client stays as typed (H68).
    """
    filled = _HOLE.sub(lambda hole: values.get(hole[1], ""), template).strip()
    asked = holes(template)
    return filled.rstrip(SEPARATORS) if asked and not values.get(asked[-1]) else filled
