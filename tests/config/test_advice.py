"""What works and is probably not meant."""

import pytest

from tests.config.files import RIGHT, changed, line_of, loaded


def warnings(text: str) -> list[str]:
    return list(loaded(text, env={"TOKEN": "t0ken"}).warnings)


def test_the_right_text_gives_no_advice() -> None:
    assert warnings(RIGHT) == []


# What is changed in the right text; the key that is told; words that must be said.
ADVISED: list[tuple[list[tuple[str, str]], str, str, list[str]]] = [
    ([], '[sync]\npoll_every = "59s"', "sync.poll_every", ["under one minute"]),
    ([("[daemon]", '[daemon]\npublic_url = "http://v.example.cl"')], "", "daemon.public_url", ["https"]),
    ([("[daemon]", '[daemon]\npublic_url = "http://127.0.0.1:9000"')], "", "daemon.public_url", ["8420"]),
    ([("[daemon]", '[daemon]\nlisten = "0.0.0.0:8420"')], "", "daemon.listen", ["without TLS"]),
    ([('role = "publish"', 'role = "busy"')], "", "agents[0]", ["no calendar with role publish"]),
    ([('["ana", "bruno"]', '["ana"]')], "", "agents[1].id", ["bruno is in no team"]),
    ([('duration = "30m"', 'duration = "30m"\nincrement = "10m"')], "", "event_types.urgente.increment", ['"30m"']),
    ([('responsible = "ana"\n', "")], "", "projects.casas", ['responsible = "ana"']),
    ([(', urgent = "https://x.example/2"', "")], "", "projects.casas.scheduler", ["no event type for urgent"]),
    ([('event_type = "urgent"', 'event_type = "long"')], "", "rules[0].event_type", ["no project has a long"]),
    ([], '[[messages]]\nkind = "reminder"', "messages", ["no account carries messages", "smtp"]),
]  # fmt: skip


@pytest.mark.parametrize(("pairs", "more", "path", "words"), ADVISED, ids=[one[2] for one in ADVISED])
def test_what_is_probably_not_meant_is_told(
    pairs: list[tuple[str, str]], more: str, path: str, words: list[str]
) -> None:
    found = [one for one in warnings(changed(*pairs, more=more)) if f": {path}: " in one]
    assert len(found) == 1, warnings(changed(*pairs, more=more))
    for word in words:
        assert word in found[0]


def test_advice_has_the_line_it_is_about() -> None:
    text = changed(('duration = "30m"', 'duration = "30m"\nincrement = "10m"'))
    assert warnings(text)[0].startswith(f"c.toml:{line_of(text, 'increment')}: event_types.urgente.increment: ")


def test_a_secret_in_clear_is_told_unless_its_account_is_on_this_machine() -> None:
    away = changed(('api_url = "http://127.0.0.1:1"', 'api_url = "https://calendly.example"'))
    assert [one.split(": ")[1] for one in warnings(away)] == [
        "accounts.agenda.token",
        "accounts.agenda.signing_keys[0]",
    ]
    default = changed(('api_url = "http://127.0.0.1:1"\n', ""))
    assert [one.split(": ")[1] for one in warnings(default)] == [one.split(": ")[1] for one in warnings(away)]
    named = changed(
        ('api_url = "http://127.0.0.1:1"\n', ""),
        ('"a-token"', '{ env = "TOKEN" }'),
        ('["a-key"]', '[{ env = "TOKEN" }]'),
    )
    assert warnings(named) == []


@pytest.mark.parametrize("url", ["http://localhost:1", "http://[::1]:1", "http://127.8.8.8"])
def test_this_machine_has_several_names(url: str) -> None:
    assert warnings(changed(("http://127.0.0.1:1", url))) == []


def test_tokens_of_a_public_api_are_neither_short_nor_written_down() -> None:
    text = changed(
        ("[daemon]", '[daemon]\npublic_url = "https://v.example.cl"'), more='[api]\ntokens = { a = "short" }\n'
    )
    assert [one.split(": ")[1] for one in warnings(text)] == ["api.tokens.a", "api.tokens.a"]
    assert warnings(changed(more='[api]\ntokens = { a = "short" }\n')) == []


def test_a_team_with_unequal_hours_is_told() -> None:
    """R078."""
    other = '[hours.otra]\nweekly = { mon = ["09:00-18:00"] }\nholidays = "CL"\n'
    text = changed(('"bruno@example.cl"\nhours = "oficina"', '"bruno@example.cl"\nhours = "otra"'), more=other)
    found = warnings(text)
    assert len(found) == 1
    assert "projects.casas.team: work by different hours (oficina, otra)" in found[0]


def test_a_team_with_different_holidays_is_told() -> None:
    other = '[hours.otra]\nweekly = { mon = ["09:00-18:00"] }\nholidays = "AR"\n'
    text = changed(('"bruno@example.cl"\nhours = "oficina"', '"bruno@example.cl"\nhours = "otra"'), more=other)
    assert any("projects.casas: the team's hours name different holidays" in one for one in warnings(text))


def test_two_projects_with_one_event_type_at_the_scheduler_are_told() -> None:
    more = """
[projects.torre]
name = "Torre"
team = ["ana"]
responsible = "ana"
event_types = { standard = "visita" }
scheduler = { account = "agenda", standard = "https://x.example/1" }
"""
    found = warnings(changed(more=more))
    assert len(found) == 1
    assert 'projects.torre.scheduler.standard: is also the event type of project "casas"' in found[0]


def test_a_public_page_needs_no_advice() -> None:
    for value in ("false", "true"):
        assert warnings(changed(('name = "Casas"', f'name = "Casas"\npublic_page = {value}'))) == []
