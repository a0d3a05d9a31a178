"""What the file says, as the decisions see it."""

from datetime import date, time, timedelta
from pathlib import Path

import pytest

from syncd.core.directory import (
    Activation,
    Anchor,
    CalendarRole,
    Directory,
    MessageRule,
    MessageTime,
    OnAgentDelete,
    OnAgentMove,
    OnConflict,
    ProposalPolicy,
    SmsRight,
    SyncPolicy,
)
from syncd.core.event_type import NoShowRule, Question, Window
from syncd.core.ids import AgentId, EventTypeId, HoursId, ProjectId
from syncd.core.routing import Rule
from tests.config.files import TODAY, changed, loaded

CASAS, VISITA, OFICINA = ProjectId("casas"), EventTypeId("visita"), HoursId("oficina")


def directory(*pairs: tuple[str, str], more: str = "") -> Directory:
    return loaded(changed(*pairs, more=more)).directory


def test_agents_keep_their_order_and_their_calendars() -> None:
    found = directory()
    assert list(found.agents) == ["ana", "bruno"]
    calendar = found.agents[AgentId("ana")].calendars[0]
    assert (calendar.id, calendar.account, calendar.name) == ("embedded/ana/visits", "embedded", "ana/visits")
    assert (calendar.agent, calendar.role, calendar.fields) == ("ana", CalendarRole.PUBLISH, None)


def test_an_agent_s_right_to_sms_is_kept_and_nobody_has_it_unasked() -> None:
    given = ('id = "ana"', 'id = "ana"\nsms = { billing = "caja", may_send = true }')
    assert directory(given).agents[AgentId("ana")].sms == SmsRight(billing="caja", may_send=True)
    half = ('id = "ana"', 'id = "ana"\nsms = { billing = "caja" }')
    assert directory(half).agents[AgentId("ana")].sms == SmsRight(billing="caja", may_send=False)
    assert directory().agents[AgentId("ana")].sms is None


def test_fields_are_an_allow_list() -> None:
    found = directory(('"ana/visits", role = "publish"', '"ana/visits", role = "publish", fields = ["title"]'))
    assert found.agents[AgentId("ana")].calendars[0].fields == frozenset({"title"})


def test_hours_have_seven_days_from_monday() -> None:
    week = directory().hours[OFICINA].weekly
    assert week[0] == ((time(9), time(13)), (time(14), time(18)))
    assert week[4] == ((time(9), time(14)),)
    assert [day for day in (1, 2, 3, 5, 6) if week[day]] == []


def test_changes_are_sorted_by_day_and_single_days_are_days() -> None:
    more = (
        '[hours.h]\nweekly = { tue = ["08:00-09:00"] }\ndates = { 2026-12-24 = ["09:00-12:00"], "2026-12-31" = [] }\n'
        'changes = [{ from = "2027-03-01", weekly = {} }, { from = 2027-01-01, weekly = { sun = ["10:00-24:00"] } }]\n'
    )
    hours = directory(more=more).hours[HoursId("h")]
    assert [day for day, _ in hours.changes] == [date(2027, 1, 1), date(2027, 3, 1)]
    assert hours.changes[0][1][6] == ((time(10), time.max),)
    assert hours.dates == {date(2026, 12, 24): ((time(9), time(12)),), date(2026, 12, 31): ()}


def test_holidays_are_known_from_last_year_to_five_years_ahead() -> None:
    days = directory().hours[OFICINA].holidays
    assert all(date(TODAY.year + offset, 12, 25) in days for offset in range(-1, 6))
    assert not any(day.year in (TODAY.year - 2, TODAY.year + 6) for day in days)
    assert date(2026, 9, 18) in days  # Chile's own


def test_regions_have_holidays_of_their_own() -> None:
    def days(code: str) -> frozenset[date]:
        return directory(('holidays = "CL"', f'holidays = "{code}"')).hours[OFICINA].holidays

    assert date(2026, 1, 6) in days("DE-BY")
    assert date(2026, 1, 6) not in days("DE-BE")


def test_business_days_follow_the_team_s_hours_unless_the_project_says_otherwise() -> None:
    assert "2026-09-18" in directory().business_holidays[CASAS]
    found = directory(('name = "Casas"', 'name = "Casas"\nholidays = "AR"'))
    assert "2026-07-09" in found.business_holidays[CASAS]
    assert "2026-09-18" not in found.business_holidays[CASAS]


def test_a_team_that_does_not_agree_on_holidays_has_none() -> None:
    other = '[hours.otra]\nweekly = { mon = ["09:00-18:00"] }\nholidays = "AR"\n'
    found = directory(('"bruno@example.cl"\nhours = "oficina"', '"bruno@example.cl"\nhours = "otra"'), more=other)
    assert found.business_holidays[CASAS] == frozenset()


def test_the_step_between_starts_is_the_whole_visit_unless_given() -> None:
    """R081."""
    assert directory().event_types[VISITA].increment == timedelta(minutes=30)
    found = directory(('buffer_after = "10m"', 'buffer_after = "10m"\nincrement = "1h"'))
    assert found.event_types[VISITA].increment == timedelta(hours=1)


def test_an_event_type_keeps_all_that_is_said_of_it() -> None:
    more = """
[event_types.todo]
name = "Todo"
duration = "45m"
buffer_before = "5m"
minimum_notice = "2d"
same_day = false
window = "3w"
approval = true
pending = { holds = false, expires = "6h" }
daily_cap = 3
all_day = "ignore"
hours = "oficina"
cancel_notice = "12h"
cancel_grace = "1h"
no_show = { follow_up = "5m", release = "20m" }
unconfirmed = { release = "2h" }
title = "T {{ cliente }}"
body = "B {{ preguntas_y_respuestas }}"
location = "L"
description = "D"
color = "#3366cc"
questions = [{ text = "¿Quién?", required = true }, { text = "¿Algo más?" }]
"""
    kind = directory(more=more).event_types[EventTypeId("todo")]
    assert (kind.duration, kind.buffer_before) == (timedelta(minutes=45), timedelta(minutes=5))
    assert (kind.minimum_notice, kind.same_day) == (timedelta(days=2), False)
    assert kind.window == Window(ahead=timedelta(weeks=3))
    assert (kind.approval, kind.pending_holds, kind.pending_expires) == (True, False, timedelta(hours=6))
    assert (kind.daily_cap, kind.all_day_blocks, kind.hours) == (3, False, "oficina")
    assert (kind.cancel_notice, kind.cancel_grace) == (timedelta(hours=12), timedelta(hours=1))
    assert kind.no_show == NoShowRule(follow_up=timedelta(minutes=5), release=timedelta(minutes=20))
    assert kind.unconfirmed_release == timedelta(hours=2)
    assert (kind.title, kind.body, kind.location) == ("T {{ cliente }}", "B {{ preguntas_y_respuestas }}", "L")
    assert (kind.description, kind.color) == ("D", "#3366cc")
    assert kind.questions == (Question(text="¿Quién?", required=True), Question(text="¿Algo más?"))


def test_a_project_keeps_all_that_is_said_of_it() -> None:
    more = """
[projects.todo]
name = "Todo"
aliases = ["T1"]
address = "Calle 1"
team = ["bruno"]
time_zone = "America/Punta_Arenas"
public_page = true
lock_property = false
verify_live = true
max_staleness = "10m"
photo_url = "https://x.example/a.jpg"
facts = [{ label = "Superficie", value = "80 m²" }]
active = "after_parity"
event_types = { standard = "visita" }
"""
    found = directory(more=more).projects[ProjectId("todo")]
    assert (found.name, found.aliases, found.address, found.team) == ("Todo", ("T1",), "Calle 1", ("bruno",))
    assert (found.time_zone, found.responsible) == ("America/Punta_Arenas", None)
    assert (found.public_page, found.lock_property, found.verify_live) == (True, False, True)
    assert (found.max_staleness, found.photo_url) == (timedelta(minutes=10), "https://x.example/a.jpg")
    assert (found.facts, found.activation) == ((("Superficie", "80 m²"),), Activation.AFTER_PARITY)
    assert (found.event_types, found.scheduler) == ({"standard": "visita"}, None)


def test_a_project_s_event_types_at_the_scheduler_are_kept_by_role() -> None:
    link = directory().projects[CASAS].scheduler
    assert link is not None
    assert link.account == "agenda"
    assert link.event_types == {"standard": "https://x.example/1", "urgent": "https://x.example/2"}


@pytest.mark.parametrize(("active", "activation"), [("true", Activation.ON), ("false", Activation.OFF)])
def test_active_is_true_or_false(active: str, activation: Activation) -> None:
    found = directory(('name = "Casas"', f'name = "Casas"\nactive = {active}'))
    assert found.projects[CASAS].activation is activation


def test_rules_keep_their_order_and_their_conditions() -> None:
    more = (
        '[[rules]]\nevent_type = "long"\nrequirements_over = 15\nprojects = ["casas"]\n'
        '[[rules]]\nevent_type = "out_of_warranty"\nany_requirement.in_warranty = false\n'
        'any_requirement.category = ["Agua", "Luz"]\n'
    )
    assert directory(more=more).rules == (
        Rule(event_type="urgent", priorities=frozenset({"urgent"})),
        Rule(event_type="long", requirements_over=15, projects=frozenset({CASAS})),
        Rule(event_type="out_of_warranty", in_warranty=False, categories=frozenset({"agua", "luz"})),
    )


def test_without_a_sync_table_the_policy_is_the_default_one() -> None:
    assert directory().policy == SyncPolicy()


def test_the_sync_table_and_the_busy_policy_become_the_policy() -> None:
    more = """
[sync]
poll_every = "90s"
full_reconcile_every = "1d"
look_ahead = "200d"
pairing_wait = "0s"
release = "auto"
max_staleness = "1h"
mass_change = { count = 5, ratio = 1 }
on_agent_move = "restore"
on_agent_delete = "cancel"
on_conflict = ["flag"]
[busy_policy]
tentative = "free"
declined = "busy"
"""
    policy = directory(more=more).policy
    assert (policy.poll_every, policy.full_reconcile_every) == (timedelta(seconds=90), timedelta(days=1))
    assert (policy.look_ahead, policy.pairing_wait) == (timedelta(days=200), timedelta(0))
    assert (policy.release_auto, policy.max_staleness) == (True, timedelta(hours=1))
    assert (policy.mass_change.count, policy.mass_change.ratio) == (5, 1.0)
    assert (policy.on_agent_move, policy.on_agent_delete) == (OnAgentMove.RESTORE, OnAgentDelete.CANCEL)
    assert policy.on_conflict == (OnConflict.FLAG,)
    assert (policy.busy.tentative, policy.busy.declined, policy.busy.private) == (False, True, True)


def test_ways_between_projects_hold_both_ways_unless_said_otherwise() -> None:
    more = """
[projects.torre]
name = "Torre"
active = false
event_types = {}
[projects.lago]
name = "Lago"
active = false
event_types = {}
[travel]
minutes = { casas = { torre = 25, lago = 10 }, lago = { casas = 15 } }
"""
    ways = directory(more=more).travel
    torre, lago = ProjectId("torre"), ProjectId("lago")
    assert {way: length // timedelta(minutes=1) for way, length in ways.items()} == {
        (CASAS, torre): 25,
        (torre, CASAS): 25,
        (CASAS, lago): 10,
        (lago, CASAS): 15,
    }


def test_messages_and_proposals_are_kept() -> None:
    more = """
[[messages]]
kind = "confirmation_request"
event_types = ["visita"]
when = "1d before start"
to = ["client"]
channels = ["whatsapp", "email"]
subject = "S"
text = "T"
[[messages]]
kind = "reminder"
projects = ["casas"]
enabled = false
[proposals]
answer_by = ["task", "mail"]
texts = { general = "G", visit = "V" }
expires = "3d"
"""
    found = directory(more=more)
    assert found.messages == (
        MessageRule(
            kind="confirmation_request",
            event_types=frozenset({VISITA}),
            when=MessageTime(anchor=Anchor.START, offset=timedelta(days=-1)),
            to=("client",),
            channels=("whatsapp", "email"),
            subject="S",
            text="T",
        ),
        MessageRule(kind="reminder", projects=frozenset({CASAS}), enabled=False),
    )
    assert found.proposals == ProposalPolicy(
        answer_by=("task", "mail"), text_general="G", text_visit="V", expires=timedelta(days=3)
    )


def test_a_scheduler_account_may_have_its_visits_handed_over_here() -> None:
    assert directory().reassign_locally == frozenset()
    found = directory(('token = "a-token"', 'token = "a-token"\nreassign_locally = true'))
    assert found.reassign_locally == {"agenda"}


def test_paths_count_from_the_folder_of_the_file_and_systemd_has_the_last_word() -> None:
    here = Path("/etc/syncd")
    assert loaded(base=here).daemon.state_dir == here / "state"
    assert loaded(base=here).store.path == here / "state/syncd.db"
    config = loaded(base=here, env={"STATE_DIRECTORY": "/var/lib/syncd:/var/lib/other"})
    assert config.daemon.state_dir == Path("/var/lib/syncd")
    assert config.store.path == Path("/var/lib/syncd/syncd.db")
    assert loaded(changed(("[daemon]", '[daemon]\nstate_dir = "/srv/s"'))).daemon.state_dir == Path("/srv/s")


def test_certificates_and_proxy_come_from_the_file_else_from_the_environment(tmp_path: Path) -> None:
    env = {"SSL_CERT_FILE": "/a.pem", "REQUESTS_CA_BUNDLE": "/b.pem", "HTTPS_PROXY": "http://p:1"}
    assert loaded(env=env).daemon.ca_file == "/a.pem"
    assert loaded(env={"REQUESTS_CA_BUNDLE": "/b.pem"}).daemon.ca_file == "/b.pem"
    assert loaded(env=env).daemon.proxy == "http://p:1"
    (tmp_path / "own.pem").write_text("")
    text = changed(("[daemon]", '[daemon]\nca_file = "own.pem"\nproxy = "http://own:2"'))
    config = loaded(text, base=tmp_path, env=env)
    assert (config.daemon.ca_file, config.daemon.proxy) == (str(tmp_path / "own.pem"), "http://own:2")
    assert (loaded().daemon.ca_file, loaded().daemon.proxy) == (None, None)


def test_the_rest_of_the_daemon_s_table_is_kept() -> None:
    keys = (
        '[daemon]\npublic_url = "https://v.example.cl/"\nlisten = "[::1]:8420"\nlocale = "it_IT"\nlink_expires = "2d"\n'
        f'quiet_hours = "21:00-08:00"\ntrusted_proxies = ["10.0.0.0/24"]\nsecret = "{"s" * 40}"\n'
    )
    config = loaded(changed(("[daemon]\n", keys)))
    daemon = config.daemon
    assert (daemon.public_url, daemon.listen, daemon.locale) == ("https://v.example.cl", "[::1]:8420", "it_IT")
    assert (daemon.link_expires, daemon.quiet_hours) == (timedelta(days=2), (time(21), time(8)))
    assert (daemon.trusted_proxies, daemon.secret) == (("10.0.0.0/24",), "s" * 40)
    assert (config.directory.locale, config.directory.quiet_hours) == ("it_IT", (time(21), time(8)))
    assert config.directory.link_expires == timedelta(days=2)


def test_the_embedded_server_is_on_when_its_table_says_so() -> None:
    assert loaded().embedded
    assert not loaded("").embedded
