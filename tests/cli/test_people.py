"""Contacts and inquiries from a shell."""

import pytest

from tests.cli.office import Office, next_monday

MONDAY = next_monday()


def test_the_contact_of_a_booked_visit_is_shown(opened: Office) -> None:
    visit = opened.book(MONDAY, "--phone", "+56 9 1234 5678", "--host", "bruno")
    contact = opened.json("contacts", "show", visit["contact"]["id"])
    assert (contact["name"], contact["owner"], contact["phones"]) == ("Eva Paz", "bruno", ["+56912345678"])
    drawn = opened.syncd("contacts", "show", contact["id"])
    assert drawn.code == 0 and "eva@b.example" in drawn.out


def test_inquiries_are_listed_by_agent_and_state(opened: Office) -> None:
    visit = opened.book(MONDAY, "--host", "bruno")
    (inquiry,) = opened.json("inquiries", "list")
    assert (inquiry["visit"], inquiry["contact"], inquiry["agent"]) == (visit["id"], visit["contact"]["id"], "bruno")
    assert opened.json("inquiries", "list", "--agent", "Bruno Rojas", "--state", "worked") == [inquiry]
    assert opened.json("inquiries", "list", "--agent", "ana") == []
    assert "given to bruno" in opened.syncd("inquiries", "list").out
    assert "No inquiries." in opened.syncd("inquiries", "list", "--state", "open").out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("contacts", "show", "nobody"), "no contact has the id 'nobody'"),
        (("inquiries", "list", "--state", "opne"), "did you mean 'open'?"),
        (("inquiries", "list", "--agent", "nobody"), "no agent is called 'nobody'"),
    ],
)
def test_what_nobody_knows_is_said(opened: Office, words: tuple[str, ...], said: str) -> None:
    done = opened.syncd(*words)
    assert done.code == 2 and said in done.err


def test_who_wants_no_messages_is_noted_from_a_shell(opened: Office) -> None:
    assert opened.json("messages", "opt-out", "Eva@Example.com") == {"address": "eva@example.com", "opted_out": True}
    undone = opened.json("messages", "opt-out", "+56 9 1234 5678", "--undo")
    assert undone == {"address": "+56912345678", "opted_out": False}
    done = opened.syncd("messages", "opt-out", "eva")
    assert done.code == 2 and "must be a telephone number" in done.err
