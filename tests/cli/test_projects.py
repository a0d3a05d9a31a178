"""Parity and activation (R101, R105, T02, T03): a project opens when its calendars equal the store, or for a reason."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.cli.office import Office, next_monday
from tests.cli.test_looking import with_closed_server

MONDAY = next_monday()


def is_open(office: Office, project: str = "torre") -> bool:
    client = "--name Eva --email e@b.example --start".split()
    return office.syncd("visits", "book", "--project", project, *client, MONDAY.isoformat()).code == 0


def entry_file(office: Office, agent: str = "bruno") -> Path:
    return next((office.home / "state" / "dav").rglob(f"{agent}/visits/*.ics"))


def test_equal_is_0_and_told_per_agent(opened: Office) -> None:
    opened.book(MONDAY)
    opened.syncd("sync")
    body = opened.json("parity", "casas")
    assert body["equal"] is True
    assert body["agents"] == [
        {"agent": "ana", "equal": True, "differences": []},
        {"agent": "bruno", "equal": True, "differences": []},
    ]


def test_a_visit_that_is_not_in_the_calendar_yet_is_a_difference_of_its_agent_alone(opened: Office) -> None:
    opened.book(MONDAY, "--host", "bruno")
    done = opened.syncd("parity", "Casas PlanOK", "--json")
    assert done.code == 1
    assert [one["equal"] for one in done.json["agents"]] == [True, False]
    assert done.json["agents"][1]["differences"][0]["calendar"] == "embedded/bruno/visits"
    assert "create due" in opened.syncd("parity", "casas").out


def test_an_entry_that_a_person_deleted_is_a_difference(opened: Office) -> None:
    opened.book(MONDAY, "--host", "bruno")
    opened.syncd("sync")
    entry_file(opened).unlink()
    opened.syncd("sync")
    done = opened.syncd("parity", "torre")
    assert done.code == 1
    assert "gone" in done.out


def test_a_calendar_that_cannot_be_read_is_no_parity(office: Office) -> None:
    with_closed_server(office)
    office.syncd("sync", "--once")
    done = office.syncd("parity", "torre")
    assert done.code == 1
    assert "busy time unknown" in done.out and "lejos/b/casa" in done.out
    assert office.syncd("activate", "torre").code == 1


def test_a_project_opens_once_it_is_equal(opened: Office) -> None:
    assert not is_open(opened)
    assert opened.syncd("activate", "torre").code == 0
    assert is_open(opened)
    assert opened.json("status")["projects"][1]["activated"]["by"].startswith("cli:")


def test_a_difference_keeps_it_closed_and_is_told(opened: Office) -> None:
    opened.book(MONDAY + timedelta(hours=3), "--host", "bruno")
    done = opened.syncd("activate", "torre")
    assert done.code == 1
    assert "bruno embedded/bruno/visits: create due" in done.err and "--waive" in done.err
    assert not is_open(opened)


def test_a_waiver_opens_it_and_is_kept_with_reason_and_differences(opened: Office) -> None:
    opened.book(MONDAY + timedelta(hours=3), "--host", "bruno")
    body = opened.json("activate", "torre", "--waive", "la entrada ya está avisada")
    assert len(body["waived"]) == 1
    kept = opened.json("status")["projects"][1]["activated"]
    assert kept["waived"] == "la entrada ya está avisada"
    assert "bruno" in kept["differences"][0]
    assert "la entrada ya está avisada" in opened.syncd("status").out
    assert is_open(opened)


def test_an_empty_reason_waives_nothing(opened: Office) -> None:
    opened.book(MONDAY + timedelta(hours=3), "--host", "bruno")
    assert opened.syncd("activate", "torre", "--waive", "").code == 1


def test_a_reason_without_differences_is_not_kept_as_a_waiver(opened: Office) -> None:
    assert opened.json("activate", "torre", "--waive", "por si acaso")["reason"] is None
    assert "waived" not in opened.json("status")["projects"][1]["activated"]


@pytest.mark.parametrize(
    ("old", "new", "missing"),
    [
        ('team = ["bruno"]', "team = []", "a team"),
        ('event_types = { standard = "visita" }', 'event_types = { urgent = "urgente" }', "a standard event type"),
    ],
)
def test_what_a_project_lacks_is_named_and_no_waiver_helps(opened: Office, old: str, new: str, missing: str) -> None:
    opened.change(old, new)
    for words in ([], ["--waive", "da igual"]):
        done = opened.syncd("activate", "torre", *words)
        assert done.code == 1
        assert missing in done.err


def test_what_the_configuration_closes_stays_closed(opened: Office) -> None:
    opened.change('active = "after_parity"', "active = false")
    done = opened.syncd("activate", "torre")
    assert done.code == 0
    assert "stays closed" in done.out
    assert not is_open(opened)


def test_an_unknown_project_is_told_the_nearest(opened: Office) -> None:
    for words in (["parity", "tore"], ["activate", "tore"]):
        done = opened.syncd(*words)
        assert done.code == 2
        assert "did you mean 'torre'?" in done.err
