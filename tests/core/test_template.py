"""Templates of titles: plain substitution, nothing of a client is ever looked into again."""

import pytest

from syncd.core.template import fill, holes


@pytest.mark.parametrize(
    ("template", "values", "title"),
    [
        (
            "Visita {{ proyecto }} - {{ respuesta_1 }}",
            {"proyecto": "Casas", "respuesta_1": "A-12"},
            "Visita Casas - A-12",
        ),
        ("Visita {{ proyecto }} - {{ respuesta_1 }}", {"proyecto": "Casas"}, "Visita Casas"),
        ("Visita {{ proyecto }} - {{ respuesta_1 }}", {"proyecto": "Casas", "respuesta_1": ""}, "Visita Casas"),
        ("{{ cliente }}: {{ respuesta_1 }}", {"cliente": "Eva -", "respuesta_1": "B -"}, "Eva -: B -"),
        ("Visita -", {}, "Visita -"),
        ("{{ respuesta_1 }} - {{ proyecto }}", {"proyecto": "Casas"}, "- Casas"),
        ("{{cliente}}", {"cliente": "{{ proyecto }}", "proyecto": "x"}, "{{ proyecto }}"),
        ("{{ 7*7 }} {{ cliente }}", {"cliente": "Eva"}, "{{ 7*7 }} Eva"),
    ],
)
def test_a_template_is_filled(template: str, values: dict[str, str], title: str) -> None:
    assert fill(template, values) == title


def test_what_a_template_asks_for_is_told_in_order() -> None:
    assert holes("{{ proyecto }} {{respuesta_1}} {{ Nope }}") == ["proyecto", "respuesta_1"]
