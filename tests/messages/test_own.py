"""An administrator's own words: what they may do, what is said of those that cannot work, that nothing runs away."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.messages.own import ALSO, LONGEST, NAMES, SAMPLE, VARIABLES, TooLarge, faults_of, render, values_of


def test_both_names_of_a_variable_mean_the_same() -> None:
    values = values_of({"event_name": "Visita", "answer_1": "402"})
    assert render("{{ nombre_del_evento }}={{ event_name }} {{ respuesta_1 }}", values) == "Visita=Visita 402"


def test_every_variable_can_be_shown() -> None:
    assert VARIABLES == values_of({}).keys() == {*NAMES, *NAMES.values(), *ALSO}
    for name in VARIABLES:
        assert render("{{ " + name + " }}", SAMPLE) == SAMPLE[name]


def test_a_condition_leaves_out_what_is_not_known() -> None:
    template = "Hola{% if agent_name %}, le recibe {{ agent_name|upper }}{% else %}.{% endif %}"
    assert render(template, values_of({})) == "Hola."
    assert render(template, values_of({"agent_name": "Ana"})) == "Hola, le recibe ANA"


WRONG = [
    ("{{ nombre_del_event }}", 1, "'nombre_del_evento'"),
    ("uno\n{{ nombre }}", 2, "there is no variable 'nombre'"),
    ("{{ 'x' * 99999999 }}", 1, "a multiplication"),
    ("{{ 10 ** 10 ** 10 }}", 1, "pow"),
    ("{{ '%099999999d' % 1 }}", 1, "mod"),
    ("{% for x in agent_name %}{{ x }}{% endfor %}", 1, "a loop"),
    ("{{ range(9) }}", 1, "a call"),
    ("{{ agent_name.__class__ }}", 1, "a dot"),
    ("{{ agent_name['__class__'] }}", 1, "an index"),
    ("{{ agent_name|attr('x') }}", 1, "no filter 'attr'"),
    ("{{ agent_name|uper }}", 1, "'upper'"),
    ("{% include 'x' %}", 1, "include"),
    ("{% set x = 1 %}", 1, "assign"),
    ("a\n{% if agent_name %}", 2, "cannot be read"),
    ("{{ " + "(" * 2000 + "agent_name" + ")" * 2000 + " }}", 1, "too deep"),
]


@pytest.mark.parametrize(("template", "line", "text"), WRONG, ids=[one[0][:30] for one in WRONG])
def test_what_cannot_work_is_told_with_its_line(template: str, line: int, text: str) -> None:
    faults = faults_of(template)
    assert [one.line for one in faults][:1] == [line] and text in faults[0].text
    with pytest.raises(ValueError, match=r"."):
        render(template, SAMPLE)


def test_a_clients_words_are_never_looked_into_h68() -> None:
    for typed in ("{{ 7*7 }}", "{% for x in y %}", "${7*7}", "%s%n", "{0.__class__}"):
        assert render("{{ client_name }}", values_of({"client_name": typed})) == typed


def test_a_message_has_a_largest_size() -> None:
    with pytest.raises(TooLarge):
        render("{{ message }}" * 11, values_of({"message": "x" * (LONGEST // 10)}))


@given(st.text(alphabet="{}%|~ ()'.*ifendforagent_name0123456789\n", max_size=60))
def test_no_template_ends_in_anything_but_a_fault(template: str) -> None:
    if not faults_of(template):
        assert len(render(template, SAMPLE)) <= LONGEST


def test_the_page_lists_every_variable() -> None:
    page = (Path(__file__).parents[2] / "docs" / "config.md").read_text(encoding="utf-8")
    section = page.partition("### Words of a message")[2].partition("\n## ")[0]
    numbered = {f"{word}_{number}" for word in ("respuesta", "answer") for number in range(1, 11)}
    assert {*re.findall(r"`(\w+)`", section)} >= VARIABLES - numbered
