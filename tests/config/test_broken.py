"""A typing error in one key of a table hides no wrong name in another key of it."""

import pytest

from tests.config.files import changed, problems


def texts(*pairs: tuple[str, str], more: str = "") -> str:
    return "\n".join(problems(changed(*pairs, more=more)))


def test_an_agent_without_an_address_still_has_its_hours_and_accounts_checked() -> None:
    agent = """
[[agents]]
id = "new"
name = "New"
email = "nope"
hours = "oficin"
calendars = [{ account = "embeded", calendar = "new/visits", role = "publish" }]
"""
    found = texts(more=agent)
    assert "agents[" in found and "no e-mail address" in found
    assert 'there is no table of hours "oficin"' in found and 'there is no account "embeded"' in found


def test_a_project_with_an_unknown_key_still_has_its_people_and_types_checked() -> None:
    project = """
[projects.third]
name = "Third"
tam = []
team = ["anna"]
responsible = "carlos"
event_types = { standard = "visitas" }
scheduler = { account = "calendli", standard = "x" }
"""
    found = texts(more=project)
    for part in ('"anna"', '"carlos"', '"visitas"', '"calendli"', "projects.third.tam"):
        assert part in found, part


def test_an_event_type_without_a_length_still_has_its_hours_checked() -> None:
    assert 'there is no table of hours "noche"' in texts(
        more='\n[event_types.corta]\nname = "Corta"\nhours = "noche"\n'
    )


@pytest.mark.parametrize("odd", ["team = 7", "team = [7]", 'event_types = "x"', "scheduler = []", "responsible = {}"])
def test_what_is_no_name_at_all_is_told_once_and_never_crashes(odd: str) -> None:
    found = problems(changed(more=f'\n[projects.third]\nname = "Third"\n{odd}\n'))
    assert found and not any("there is no agent" in one or "there is no account" in one for one in found)


def test_right_names_in_a_broken_table_are_no_problem() -> None:
    agent = '\n[[agents]]\nid = "new"\nname = "New"\nemail = "nope"\nhours = "oficina"\n'
    assert len(problems(changed(more=agent))) == 1
