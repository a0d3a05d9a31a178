"""Lookups of the directory: calendars in the order of the configuration, and every use of a shared one."""

from dataclasses import replace

import pytest

from syncd.core.directory import CalendarRole
from syncd.core.ids import AgentId, CalendarId
from tests.world import town

ROLES = (CalendarRole.PUBLISH, CalendarRole.BUSY, CalendarRole.MIRROR)


def test_calendars_come_agent_by_agent_in_the_order_of_the_configuration() -> None:
    people = town.directory([town.agent("beto", *ROLES), town.agent("ana")])
    assert [ref.id for ref in people.calendars()] == [
        "cal/beto-publish", "cal/beto-busy", "cal/beto-mirror", "cal/ana-publish",
    ]  # fmt: skip


def test_a_shared_calendar_has_a_use_for_each_agent() -> None:
    ana, beto = town.agent("ana"), town.agent("beto")
    shared = replace(beto.calendars[0], id=ana.calendars[0].id)
    people = town.directory([ana, replace(beto, calendars=(shared,))])
    assert [ref.agent for ref in people.calendar(ana.calendars[0].id)] == [AgentId("ana"), AgentId("beto")]


def test_a_calendar_that_nobody_configured_has_no_use() -> None:
    assert town.directory().calendar(CalendarId("cal/nobody")) == []


def test_an_agent_is_found_by_id_or_by_an_address_that_is_nobody_elses() -> None:
    ana, beto, cara = town.agent("ana"), town.agent("beto"), town.agent("cara")
    people = town.directory([ana, replace(beto, email="Both@a.example"), replace(cara, email="both@a.example")])
    names = ("ana", "ANA@a.example", "beto", "both@a.example", "nobody", "nobody@a.example")
    assert [people.find_agent(name) for name in names] == ["ana", "ana", "beto", None, None, None]


@pytest.mark.parametrize(("locale", "region"), [("es_ES", "ES"), ("es", "CL"), ("de", "DE"), ("it_CH", "CH")])
def test_a_locale_says_whose_numbers_are_read(locale: str, region: str) -> None:
    assert replace(town.directory(), locale=locale).region == region
