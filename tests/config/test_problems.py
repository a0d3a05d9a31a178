"""Each way in which a configuration can be wrong: told once, on its line, with its key and what to write instead."""

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from syncd.config.problems import of_validation
from tests.config.files import RIGHT, changed, line_of, only_problem, problems


def test_the_right_text_has_no_problems() -> None:
    assert problems(RIGHT) == []


def test_every_problem_is_told_at_once_in_the_order_of_the_file() -> None:
    text = changed(
        ('"America/Santiago"', '"Santiago"'),
        ('hours = "oficina"', 'hours = "ofizina"'),
        ('duration = "20m"', 'duration = "20 minutes"'),
        ('team = ["ana", "bruno"]', 'team = ["ana", "brunno"]'),
        more='[[rules]]\nevent_type = "lang"\n',
    )
    found = problems(text)
    assert [one.split(": ")[1] for one in found] == [
        "daemon.time_zone",
        "agents[0].hours",
        "event_types.visita.duration",
        "projects.casas.team[1]",
        "rules[1].event_type",
    ]
    assert [int(one.split(":")[1]) for one in found] == sorted(int(one.split(":")[1]) for one in found)


# What is changed in the right text; where it is told: a part of the line, and the key; words that must be said.
WRONG: list[tuple[str, str, str, str, list[str]]] = [
    # keys and types (H152)
    ("[daemon]", "[deamon]", "[deamon]", "deamon", ['did you mean "daemon"?']),
    ('time_zone = "America', 'timezone = "America', "timezone", "daemon.timezone", ['did you mean "time_zone"?']),
    ("buffer_after", "buffer_aftr", "buffer_aftr", "event_types.visita.buffer_aftr", ['"buffer_after"?']),
    ("aliases", "colour", "colour", "projects.casas.colour", ["is no key of this table; known: "]),
    ('urgent = "urgente"', 'express = "urgente"', "express", "projects.casas.event_types.express", ["no key"]),
    ('role = "publish"', 'rol = "publish", role = "publish"', "rol =", "agents[0].calendars[0].rol", ['"role"?']),
    ('name = "Ana Soto"\n', "", "[[agents]]", "agents[0].name", ["is missing"]),
    ('duration = "20m"\n', "", "[event_types.visita]", "event_types.visita.duration", ["is missing"]),
    ('name = "Casas"', "name = 7", "name = 7", "projects.casas.name", ["text in quotes"]),
    ("enabled = true", 'enabled = "yes"', "enabled", "embedded_caldav.enabled", ["true or false, without quotes"]),
    ('team = ["ana", "bruno"]', 'team = "ana"', "team", "projects.casas.team", ["should be a list"]),
    ('name = "Casas"', 'name = ""', 'name = ""', "projects.casas.name", ["is empty"]),
    ('duration = "30m"', 'duration = "30m"\ndaily_cap = 0', "daily_cap", "event_types.urgente.daily_cap", ["to 1"]),
    ('duration = "30m"', 'duration = "30m"\ncolor = "red"', "color", "event_types.urgente.color", ["#3366cc"]),
    ('role = "publish"', 'role = "write"', '"write"', "agents[0].calendars[0].role", ['"publish", "busy" or "mirror"']),
    ('event_type = "urgent"', 'event_type = "urgente"', '= "urgente"\nany', "rules[0].event_type", ['"standard"']),
    # values
    ('"America/Santiago"', '"America/Santigo"', "Santigo", "daemon.time_zone", ['did you mean "America/Santiago"?']),
    ('"America/Santiago"', '"CLST"', "CLST", "daemon.time_zone", ["is no time zone"]),
    ('duration = "20m"', "duration = 20", "duration = 20", "event_types.visita.duration", ['"30m" or "12h"']),
    ('duration = "20m"', 'duration = "0m"', '"0m"', "event_types.visita.duration", ["longer than nothing"]),
    ('duration = "20m"', 'duration = "-5m"', '"-5m"', "event_types.visita.duration", ["is no duration"]),
    ('duration = "20m"', 'duration = "25h"', '"25h"', "event_types.visita.duration", ["longer than 24 hours"]),
    ('"15 business days"', '"15 working days"', "working", "event_types.visita.window", ['"15 business days"']),
    ('"15 business days"', '"0 business days"', '"0 b', "event_types.visita.window", ["between one day and 400 days"]),
    ('"15 business days"', '"900d"', "900d", "event_types.visita.window", ["between one day and 400 days"]),
    ('"15 business days"', '"90 business days"', '"90 b', "event_types.visita.window", ['look_ahead = "140d"']),
    ('"09:00-14:00"', '"14:00-09:00"', "14:00-09:00", "hours.oficina.weekly.fri", ["ends before it starts"]),
    ('"09:00-14:00"', '"9-14"', '"9-14"', "hours.oficina.weekly.fri", ['write "09:00-13:00"']),
    ('"09:00-14:00"', '"09:00-25:00"', "25:00", "hours.oficina.weekly.fri", ["no time of day"]),
    ('"14:00-18:00"', '"12:00-18:00"', "12:00-18:00", "hours.oficina.weekly.mon", ["inside the span", "09:00"]),
    ('["09:00-14:00"]', '"09:00-14:00"', "fri =", "hours.oficina.weekly.fri", ["[] means closed"]),
    ('"ana@example.cl"', '"ana at example.cl"', "ana at", "agents[0].email", ["is no e-mail address"]),
    ('holidays = "CL"', 'holidays = "DE"', '"DE"', "hours.oficina.holidays", ["needs a region", '"DE-BB"', '"BY"']),
    ('holidays = "CL"', 'holidays = "DE-XX"', '"DE-XX"', "hours.oficina.holidays", ['"XX" is no region of DE']),
    ('holidays = "CL"', 'holidays = "Chile"', '"Chile"', "hours.oficina.holidays", ["is no country"]),
    ('holidays = "CL"', 'holidays = "cl"', '"cl"', "hours.oficina.holidays", ['did you mean "CL"?']),
    ('holidays = "CL"', 'dates = { "24.12.2026" = [] }', "24.12", 'hours.oficina.dates."24.12.2026"', ["2026-12-24"]),
    ("Visita {{ proyecto }}", "Visita {{ projecto }}", "projecto", "event_types.visita.name", ["{{ proyecto }}?"]),
    ("Visita {{ proyecto }}", "Visita {{ x }}", "{{ x }}", "event_types.visita.name", ["nothing fills", '"agente"']),
    ("Visita {{ proyecto }}", "Visita {{ proyecto", "{{ proyecto", "event_types.visita.name", ["is not closed"]),
    ("Visita {{ proyecto }}", "{{ respuesta_11 }}", "_11", "event_types.visita.name", ["nothing fills"]),
    # names that lead nowhere, with the nearest
    ('account = "embedded", calendar = "ana', 'account = "embeded", calendar = "ana', "embeded",
     "agents[0].calendars[0].account", ['there is no account "embeded"; did you mean "embedded"?']),
    ('account = "embedded", calendar = "ana', 'account = "agenda", calendar = "ana', '"agenda", calendar',
     "agents[0].calendars[0].account", ['"agenda" is a calendly account, which holds no calendars']),
    ('"ana/visits"', '"anna/visits"', "anna", "agents[0].calendars[0].calendar", ['"ana/visits"']),
    ('"ana/visits"', '"ana"', '"ana", role', "agents[0].calendars[0].calendar", ["an agent and a name"]),
    ('hours = "oficina"', 'hours = "oficia"', "oficia", "agents[0].hours", ['no table of hours "oficia"', '"oficina"']),
    ('responsible = "ana"', 'responsible = "anna"', "anna", "projects.casas.responsible", ['did you mean "ana"?']),
    ('standard = "visita"', 'standard = "visits"', '"visits"', "projects.casas.event_types.standard", ['"visita"?']),
    ('account = "agenda"', 'account = "agneda"', "agneda", "projects.casas.scheduler.account", ['"agenda"?']),
    ('duration = "30m"', 'duration = "30m"\nhours = "x"', '"x"', "event_types.urgente.hours", ['known: "oficina"']),
    # what cannot be
    ('id = "bruno"', 'id = "ana"', 'id = "ana"\nname = "Bruno', "agents[1].id", ['already that of agent "ana"']),
    ('"bruno@example.cl"', '"ANA@example.cl"', "ANA@", "agents[1].email", ['already that of agent "ana"']),
    ('id = "bruno"', 'id = "bru no"', "bru no", "agents[1].id", ["without blanks"]),
    ('["ana", "bruno"]', '["ana", "bruno", "ana"]', "team", "projects.casas.team[2]", ["in the team twice"]),
    ('standard = "visita", ', "", "event_types = {", "projects.casas.event_types", ['standard = "…"', "= false"]),
    ('team = ["ana", "bruno"]', "team = []", "team", "projects.casas.team", ["needs a team", "active = false"]),
    ("https://x.example/2", "https://x.example/1", "scheduler", "projects.casas.scheduler.urgent", ["standard"]),
    ('duration = "30m"', 'duration = "30m"\nminimum_notice = "90d"', "90d", "event_types.urgente.minimum_notice",
     ["nothing could be booked"]),
    ('duration = "30m"', 'duration = "30m"\nno_show = { follow_up = "9m", release = "5m" }', "no_show",
     "event_types.urgente.no_show.release", ["before the follow-up"]),
    ("[accounts.agenda]", "[accounts.embedded]\nkind = \"memory\"\n[accounts.agenda]", "[accounts.embedded]",
     "accounts.embedded", ["made by [embedded_caldav]"]),
    ("[accounts.agenda]", "[accounts.api]\nkind = \"memory\"\n[accounts.agenda]", "[accounts.api]", "accounts.api",
     ["a name syncd uses itself"]),
    ('id = "bruno"', 'id = "syncd"', 'id = "syncd"', "agents[1].id", ["a name syncd uses itself"]),
    # accounts
    ('kind = "calendly"', 'kind = "calendy"', "calendy", "accounts.agenda.kind", ['did you mean "calendly"?']),
    ('kind = "calendly"', 'kind = "imap"', "imap", "accounts.agenda.kind", ["cannot be used with this version"]),
    ('kind = "calendly"\n', "", "[accounts.agenda]", "accounts.agenda", ['kind = "caldav"']),
    ("signing_keys = [", "signing_key = [", "signing_key =", "accounts.agenda.signing_key", ['"signing_keys"?']),
    ('["a-key"]', "[]", "signing_keys", "accounts.agenda.signing_keys", ["is empty"]),
    ('["a-key"]', '["a-key"]\ntolerance = { past = "1x" }', "tolerance", "accounts.agenda.tolerance.past", []),
    ('token = "a-token"', 'token = { password = "x" }', "token =", "accounts.agenda.token", ["{ credential ="]),
    # shapes
    ("[[rules]]", "[rules]", "[rules]", "rules", ["[[rules]]"]),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "at", "path", "words"), WRONG, ids=[f"{one[3]}-{one[1][:20]}" for one in WRONG])
def test_a_mistake_is_told_once_on_its_line(old: str, new: str, at: str, path: str, words: list[str]) -> None:
    text = changed((old, new))
    found = [one for one in problems(text) if f": {path}: " in one]
    line = text[: text.index(at)].count("\n") + 1
    assert len(found) == 1, problems(text)
    assert found[0].startswith(f"c.toml:{line}: {path}: ")
    for word in words:
        assert word in found[0]


@pytest.mark.parametrize(("old", "new", "at", "path", "words"), WRONG, ids=[f"{one[3]}-{one[1][:20]}" for one in WRONG])
def test_a_mistake_causes_few_others(old: str, new: str, at: str, path: str, words: list[str]) -> None:
    """A broken table is still known by its name: what names it is no mistake."""
    assert 1 <= len(problems(changed((old, new)))) <= 3


def test_a_broken_table_still_counts_as_known() -> None:
    text = changed(('duration = "20m"', 'duration = "x"'), ('weekly = { mon = ["09:00', 'weekly = { mon = ["x'))
    assert [one.split(": ")[1] for one in problems(text)] == ["hours.oficina.weekly.mon", "event_types.visita.duration"]


# T02, T14


@pytest.mark.parametrize(
    ("active", "team", "roles", "missing"),
    [
        ("true", "[]", '{ standard = "visita" }', ["team"]),
        ("true", '["ana"]', "{}", ["event_types"]),
        ("true", '["ana"]', '{ urgent = "urgente" }', ["event_types"]),
        ("true", "[]", "{}", ["team", "event_types"]),
        ("true", '["ana"]', '{ standard = "visita" }', []),
        ("false", "[]", "{}", []),
        ('"after_parity"', "[]", "{}", []),
    ],
)
def test_an_active_project_needs_a_team_and_a_standard_event_type(
    active: str, team: str, roles: str, missing: list[str]
) -> None:
    project = f'\n[projects.torre]\nname = "Torre"\nactive = {active}\nteam = {team}\nevent_types = {roles}\n'
    found = problems(changed(more=project))
    assert [one.split(": ")[1] for one in found] == [f"projects.torre.{key}" for key in missing]


def test_a_project_without_a_table_of_event_types_is_told_so() -> None:
    text = changed(more='\n[projects.torre]\nname = "Torre"\nteam = ["ana"]\n')
    assert only_problem(text, "[projects.torre]", "projects.torre.event_types") == "is missing"


@pytest.mark.parametrize(("team", "right"), [("[]", False), ('["ana"]', True), ('["ana", "bruno"]', False)])
def test_collective_is_for_teams_of_one(team: str, right: bool) -> None:
    kind = '\n[event_types.juntos]\nname = "x"\nduration = "20m"\nassignment = "collective"\n'
    project = f'[projects.torre]\nname = "T"\nactive = false\nteam = {team}\nevent_types = {{ standard = "juntos" }}\n'
    text = changed(more=kind + project)
    found = problems(text)
    assert [one.split(": ")[1] for one in found] == ([] if right else ["projects.torre.team"])
    assert all("exactly one agent" in one and "round_robin" in one for one in found)
    line = text[: text.index('name = "T"')].count("\n") + 3
    assert all(one.startswith(f"c.toml:{line}: ") for one in found)


# more places where a name leads


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ('[travel]\nminutes = { casas = { torre = 5 } }', "travel.minutes.casas.torre"),
        ('[travel]\nminutes = { casas = { casas = 5 } }', "travel.minutes.casas.casas"),
        ('[[messages]]\nkind = "reminder"\nevent_types = ["x"]', "messages[0].event_types[0]"),
        ('[[messages]]\nkind = "reminder"\nprojects = ["casas", "x"]', "messages[0].projects[1]"),
        ('[[messages]]\nkind = "remind"', "messages[0].kind"),
        ('[[messages]]\nkind = "reminder"\nwhen = "1d before booking"', "messages[0].when"),
        ('[[messages]]\nkind = "reminder"\nwhen = "8:00 on the day"', "messages[0].when"),
        ('[[messages]]\nkind = "reminder"\nto = ["boss"]', "messages[0].to[0]"),
        ('[[messages]]\nkind = "reminder"\nsubject = "{{ nombre_del_event }}"', "messages[0].subject"),
        ('[[messages]]\nkind = "reminder"\ntext = "{% for x in lugar %}{% endfor %}"', "messages[0].text"),
        ('[[rules]]\nevent_type = "long"\nprojects = ["x"]', "rules[1].projects[0]"),
        ('[api]\ntokens = { "a b" = "x" }', 'api.tokens."a b"'),
        ('[api]\ntokens = { a = "x y" }', "api.tokens.a"),
        ('[api]\ntokens = { a = "x", b = "x" }', "api.tokens.b"),
        ('[api]\ntokens = { a = "" }', "api.tokens.a"),
        ('[store]\nurl = "postgresql://db/syncd"', "store.url"),
        ('[store]\nurl = "sqlite:"', "store.url"),
        ('[store]\nurl = "syncd.db"', "store.url"),
        ('[proposals]\nanswer_by = ["fax"]', "proposals.answer_by[0]"),
        ('[sync]\nmass_change = { count = 2, ratio = 1.5 }', "sync.mass_change.ratio"),
        ('[busy_policy]\ntentative = true', "busy_policy.tentative"),
        ("sync = 5", "rules[0].sync"),
        ('[hours.h]\nweekly = {}', "hours.h.weekly"),
        ('[hours.h]\nweekly = {}\nchanges = [{ from = 2027-01-01, weekly = {} }, { from = "2027-01-01", weekly = {} }]',
         "hours.h.changes[1].from"),
        ('[projects.torre]\nname = "LAS  casas"\nactive = false\nevent_types = {}', "projects.torre.name"),
        ('[projects."a b"]\nname = "T"\nactive = false\nevent_types = {}', 'projects."a b"'),
        ('[projects.torre]\nname = "T"\nactive = "no"\nevent_types = {}', "projects.torre.active"),
        ('[projects.t]\nname = "T"\nactive = false\nevent_types = {}\nscheduler = { account = "agenda" }',
         "projects.t.scheduler"),
        ('[projects.t]\nname = "T"\nactive = false\nevent_types = {}\nscheduler = { account = "agenda", long = "x" }',
         "projects.t.scheduler.long"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_further_table_is_told(more: str, path: str) -> None:
    found = problems(changed(more=more + "\n"))
    assert [one.split(": ")[1] for one in found] == [path], found
    assert int(found[0].split(":")[1]) > line_of(RIGHT, "[[rules]]")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("public_url", '"visitas.example.cl"'),
        ("public_url", '"https://user@visitas.example.cl"'),
        ("public_url", '"https://visitas.example.cl/?a=1"'),
        ("public_url", '"ftp://visitas.example.cl"'),
        ("listen", '"8420"'),
        ("listen", '"127.0.0.1:84200"'),
        ("quiet_hours", '"21:00"'),
        ("quiet_hours", '"08:00-08:00"'),
        ("locale", '"fr_FR"'),
        ("locale", '"es-CL"'),
        ("secret", '"short"'),
        ("ca_file", '"nowhere.pem"'),
        ("trusted_proxies", '["proxy.example"]'),
        ("link_expires", '"0d"'),
    ],
)
def test_a_wrong_value_of_the_daemon_is_told(key: str, value: str) -> None:
    text = changed(("[daemon]\n", f"[daemon]\n{key} = {value}\n"))
    found = problems(text)
    assert len(found) == 1
    assert found[0].startswith(f"c.toml:2: daemon.{key}")


def test_the_embedded_account_exists_only_while_its_server_is_enabled() -> None:
    found = problems(changed(("enabled = true", "enabled = false")))
    assert [one.split(": ")[1] for one in found] == ["agents[0].calendars[0].account", "agents[1].calendars[0].account"]
    assert all("[embedded_caldav] enabled = true" in one for one in found)


def test_an_entry_of_a_list_over_several_lines_is_told_on_its_own_line() -> None:
    text = changed(('calendar = "bruno/visits", role = "publish"', 'calendar = "bruno/visits", role = "read"'))
    found = problems(text)
    assert len(found) == 1
    assert found[0].startswith(
        f'c.toml:{line_of(text, "bruno/visits")}: agents[1].calendars[0].role: "read" is not known'
    )


@pytest.mark.parametrize(
    ("url", "more", "right"),
    [
        ("http://nube.example.cl/dav/", "", False),
        ("http://nube.example.cl/dav/", "allow_http = true", True),
        ("https://nube.example.cl/dav/", "", True),
        ("http://127.0.0.1:5232/", "", True),
        ("http://[::1]:5232/", "", True),
        ("http://localhost:5232/", "", True),
        ("http://localhost.example.cl/", "", False),
        ("http://127.0.0.1.example.cl/", "", False),
        ("nube.example.cl/dav/", "", False),
        ("ftp://nube.example.cl/", "", False),
        ("https://nube.example.cl:0/", "", False),
        ("https://[nube/", "", False),
    ],
)
def test_a_login_travels_in_clear_only_where_that_is_meant(url: str, more: str, right: bool) -> None:
    text = changed(more=f'[accounts.nube]\nkind = "caldav"\nurl = "{url}"\n{more}\n')
    found = problems(text)
    assert [one.split(": ")[:2] for one in found] == (
        [] if right else [[f"c.toml:{line_of(text, url)}", "accounts.nube.url"]]
    )


def test_one_calendar_in_two_roles_of_one_agent_is_refused() -> None:
    two = '"publish" }, { account = "embedded", calendar = "/ana/visits/", role = "busy" }]'
    words = only_problem(changed(('"publish" }]', two)), "ana/visits", "agents[0].calendars[1].calendar")
    assert "twice" in words


def test_what_may_be_written_makes_no_sense_for_a_calendar_that_is_only_read() -> None:
    text = changed(('"ana/visits", role = "publish"', '"ana/visits", role = "busy", fields = ["title"]'))
    assert "leave the key out" in only_problem(text, "ana/visits", "agents[0].calendars[0].fields")


def test_no_secret_is_repeated_in_a_problem() -> None:
    text = changed(('token = "a-token"', 'token = ["s3cr3t"]'), ('"a-key"', "4711"))
    assert len(problems(text)) == 2
    assert not any("s3cr3t" in one or "4711" in one for one in problems(text))


def test_controls_in_a_name_do_not_reach_the_terminal() -> None:
    found = problems(changed(('hours = "oficina"', 'hours = "\\u001b[2J\\u202e"')))
    assert all(letter.isprintable() for one in found for letter in one)


def test_an_empty_file_is_an_empty_installation() -> None:
    assert problems("") == []


def test_an_account_that_takes_no_bookings_is_no_scheduler() -> None:
    cloud = '[accounts.nube]\nkind = "caldav"\nurl = "http://127.0.0.1:1/"\n'
    text = changed(('scheduler = { account = "agenda"', 'scheduler = { account = "nube"'), more=cloud)
    words = only_problem(text, 'account = "nube"', "projects.casas.scheduler.account")
    assert words == '"nube" is a caldav account, which takes no bookings'


class Header(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    header: str


class Digest(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    digest: int


class Either(BaseModel):
    auth: Header | Digest
    days: dict[int, str]


def test_names_that_pydantic_puts_between_keys_are_left_out() -> None:
    raw = {"auth": {"digest": "x"}, "days": {"a": "b"}}
    with pytest.raises(ValidationError) as caught:
        Either.model_validate(raw)
    found = of_validation(caught.value, Either, raw, ("accounts", "x"))
    paths = {one.path for one in found}
    assert ("accounts", "x", "auth", "digest") in paths
    assert ("accounts", "x", "days", "a") in paths
    assert all(part in ("accounts", "x", "auth", "digest", "header", "days", "a") for path in paths for part in path)
