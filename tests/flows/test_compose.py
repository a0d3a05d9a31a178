"""What a message says: whom it greets, when, with which ways out; its invitation; and that a name is only a name."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
from icalendar import Calendar
from lxml import html as pages

from syncd.config.entries import MessageKind
from syncd.core.directory import MessageRule
from syncd.core.ids import AccountId
from syncd.core.letter import Channel, Letter
from syncd.core.visit import Answer, Cancel, CancelReason, Contact, Move, Visit, VisitState
from syncd.flows.book import Booking, act, book
from syncd.flows.compose import compose
from syncd.flows.context import AccountParts, Context
from syncd.flows.links import Purpose, find_subject
from syncd.messages.wording import WORDS
from syncd.store import open_store
from syncd.store.visits import Cause
from tests.web.stage import directory, no_calendar, read_calendars
from tests.world import town
from tests.world.clock import VirtualClock

MAIL, CORREO = AccountId("mail"), "visitas@example.cl"
EVA = Contact(name="Eva Díaz", email="eva@example.com", phone="+56912345678")
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "{{7*7}} ${7*7} %s%n %(day)s {0.__class__}",
    "Eva\r\nBcc: all@example.com",
    "Eva\nATTENDEE:mailto:x@example.com",
    'Eva";X-EVIL=1:mailto:x@example.com',
    "Eva \u202egnp.exe",
    "Eva\u2028END:VEVENT\u2028BEGIN:VALARM",
]


@pytest.fixture
def ctx(tmp_path: Path) -> Iterator[Context]:
    clock = VirtualClock(town.START)
    store = open_store(tmp_path / "store.db", clock)
    people = directory()
    read_calendars(store, people, clock.now())
    found = Context(store=store, directory=people, clock=clock, calendar_of=no_calendar)
    parts = {MAIL: AccountParts(id=MAIL, kind="smtp", sender=CORREO)}
    yield replace(found, public_url="https://visitas.example.cl", link_key=lambda: b"k" * 32, accounts=parts)
    store.close()


def cause(ctx: Context) -> Cause:
    return Cause(at=ctx.clock.now(), actor="client", source="page")


def booked(ctx: Context, contact: Contact = EVA) -> Visit:
    asked = Booking(project=town.CASAS, start=town.TUESDAY, contact=contact, source=AccountId("page"))
    outcome = book(ctx, replace(asked, answers=(Answer(question="Propiedad", answer="402"),)), cause(ctx))
    assert isinstance(outcome, Visit)
    return outcome


def acted(ctx: Context, visit: Visit, command: Move | Cancel) -> Visit:
    outcome = act(ctx, visit.id, command, cause(ctx))
    assert isinstance(outcome, Visit)
    return outcome


def cancelled(ctx: Context, visit: Visit) -> Visit:
    return acted(ctx, visit, Cancel(by=CancelReason.CLIENT))


def mail(ctx: Context, visit: Visit, kind: str, body: dict[str, Any] | None = None) -> Letter:
    return compose(ctx, visit, kind, Channel.EMAIL, "client", body)


def entry_of(letter: Letter) -> Any:
    """Return the one entry of a letter's calendar part, as a calendar program reads it."""
    (entry,) = Calendar.from_ical(letter.calendar).walk("VEVENT")
    return entry


def test_every_kind_of_message_has_words() -> None:
    assert set(WORDS) == set(get_args(MessageKind))


@pytest.mark.parametrize("locale", ["es_CL", "it", "en", "de"])
@pytest.mark.parametrize("kind", sorted(WORDS))
def test_every_kind_says_something_whole_in_every_language(ctx: Context, kind: str, locale: str) -> None:
    visit = booked(ctx)
    for channel in (Channel.EMAIL, Channel.SMS, Channel.TASK):
        letter = compose(ctx, visit, kind, channel, "client", {"locale": locale})
        assert letter.subject and letter.text and letter.locale == locale
        assert "%(" not in letter.text + letter.subject + letter.html
        assert "None" not in letter.text


def test_days_are_in_words_of_the_visits_zone(ctx: Context) -> None:
    visit = booked(ctx)
    spanish, german = mail(ctx, visit, "booking_info"), mail(ctx, visit, "booking_info", {"locale": "de"})
    assert "martes" in spanish.text and "Dienstag" in german.text


def test_a_client_is_written_to_in_the_language_they_booked_in_and_agents_in_the_houses(ctx: Context) -> None:
    visit = replace(booked(ctx), language="de")
    assert "Dienstag" in mail(ctx, visit, "booking_info").text
    agent = compose(ctx, visit, "agent_notice", Channel.EMAIL, f"agent:{visit.host}", {"about": "booking_info"})
    assert "martes" in agent.text
    for odd in ("", "fr", "xx_YY"):
        assert "martes" in mail(ctx, replace(visit, language=odd), "booking_info").text


def test_the_link_in_a_message_opens_the_visit(ctx: Context) -> None:
    visit = booked(ctx)
    letter = mail(ctx, visit, "reminder")
    address = letter.variables["visit_link"]
    assert address in letter.text and f'href="{address}"' in letter.html
    with ctx.store.read() as tx:
        token = address.rpartition("/")[2]
        assert find_subject(ctx, tx, Purpose.VISIT, token, ctx.clock.now()) == f"visit:{visit.id}"


def test_a_reminder_says_how_to_cancel_and_whom_to_write_to_r088(ctx: Context) -> None:
    visit = booked(ctx)
    assert visit.host is not None
    address = ctx.directory.agents[visit.host].email
    for channel in (Channel.EMAIL, Channel.SMS):
        text = compose(ctx, visit, "reminder", channel, "client", None).text
        assert "/v/" in text and address in text


def test_a_cancellation_has_the_senders_words_and_the_way_to_another_time(ctx: Context) -> None:
    visit = acted(ctx, booked(ctx), Cancel(by=CancelReason.STAFF))
    letter = mail(ctx, visit, "cancellation", {"message": "Se cortó la luz.", "rebook_link": True})
    assert "Se cortó la luz." in letter.text and "/b/" in letter.text and "/v/" not in letter.text
    assert "/b/" not in mail(ctx, visit, "cancellation").text


def test_the_receipt_of_a_clients_own_cancellation_leads_back_to_the_visit(ctx: Context) -> None:
    visit = cancelled(ctx, booked(ctx))
    letter = mail(ctx, visit, "cancellation")
    token = letter.variables["visit_link"].rpartition("/")[2]
    with ctx.store.read() as tx:
        assert find_subject(ctx, tx, Purpose.VISIT, token, ctx.clock.now()) == f"visit:{visit.id}"
    assert "diez minutos" in letter.text and letter.variables["visit_link"] in letter.text
    assert "escriba a" not in letter.text, "nothing is left that could fail to suit"


def test_an_update_names_the_time_before(ctx: Context) -> None:
    visit = booked(ctx)
    moved = acted(ctx, visit, Move(start=town.TUESDAY + timedelta(days=1)))
    text = mail(ctx, moved, "update", {"was": visit.interval.start.isoformat(), "host": visit.host}).text
    assert "Hasta ahora era el martes" in text and "miércoles" in text


def test_an_agent_gets_no_link_of_the_clients(ctx: Context) -> None:
    visit = booked(ctx)
    letter = compose(ctx, visit, "agent_notice", Channel.EMAIL, f"agent:{visit.host}", {"about": "booking_info"})
    assert "/v/" not in letter.text and "Eva Díaz" in letter.text and letter.calendar == ""


def test_a_preview_makes_no_link(ctx: Context) -> None:
    visit = booked(ctx)
    letter = compose(ctx, visit, "reminder", Channel.EMAIL, "client", None, preview=True)
    assert "https://visitas.example.cl/v/-" in letter.text
    with ctx.store.read() as tx:
        assert tx.links.latest(Purpose.VISIT, f"visit:{visit.id}") is None


def test_a_clients_windows_are_handed_on_line_by_line_to_whoever_asked(ctx: Context) -> None:
    told = "Eva propone estos horarios:\nmartes, 10:00–11:00"
    letter = compose(ctx, None, "proposal_answer", Channel.EMAIL, "email:dueno@example.com", {"message": told})
    assert told in letter.text and told in letter.html and "pre-line" in letter.html
    assert letter.subject == "Un cliente propone horarios para una visita" and letter.calendar == ""


def test_a_mail_of_windows_says_who_names_them_for_what_and_how_to_answer(ctx: Context) -> None:
    body = {
        "message": "Eva Díaz propone estos horarios:\n3. martes, 10:00–11:00",
        "proposal": "p-17",
        "contact": {"name": "Eva Díaz", "email": "eva@example.com", "phone": None},
        "project": None,
        "property": {"id": "12", "name": "Casa 12", "address": ""},
    }
    letter = compose(ctx, None, "proposal_answer", Channel.EMAIL, "email:dueno@example.com", body)
    assert letter.subject == "Eva Díaz propone horarios para visitar Casa 12" and letter.reply_to == "eva@example.com"
    assert "/api/proposals/p-17/accept" in letter.text and "le llega a Eva Díaz" in letter.text
    nowhere = body | {"property": None, "contact": {"name": "Eva Díaz", "email": None, "phone": None}}
    letter = compose(ctx, None, "proposal_answer", Channel.EMAIL, "email:dueno@example.com", nowhere)
    assert letter.subject == "Eva Díaz propone horarios para una visita" and letter.reply_to == ""
    assert "le llega a" not in letter.text


# the invitation


def test_the_same_entry_is_put_updated_and_taken_away(ctx: Context) -> None:
    visit = booked(ctx)
    moved = acted(ctx, visit, Move(start=town.TUESDAY + timedelta(days=1)))
    gone = cancelled(ctx, moved)
    letters = [mail(ctx, visit, "booking_info"), mail(ctx, moved, "update"), mail(ctx, gone, "cancellation")]
    assert [one.calendar_method for one in letters] == ["REQUEST", "REQUEST", "CANCEL"]
    assert [str(Calendar.from_ical(one.calendar)["METHOD"]) for one in letters] == ["REQUEST", "REQUEST", "CANCEL"]
    entries = [entry_of(one) for one in letters]
    assert {str(one["UID"]) for one in entries} == {f"visit-{visit.id}@syncd"}
    numbers = [int(one["SEQUENCE"]) for one in entries]
    assert numbers == sorted(set(numbers))
    assert [str(one["STATUS"]) for one in entries] == ["CONFIRMED", "CONFIRMED", "CANCELLED"]
    assert [one.decoded("DTSTART") for one in entries] == [visit.interval.start, *[moved.interval.start] * 2]
    assert str(entries[0]["ORGANIZER"]) == f"mailto:{CORREO}"
    assert str(entries[0]["ATTENDEE"]) == "mailto:eva@example.com"
    assert entries[0]["ATTENDEE"].params["RSVP"] == "FALSE"
    assert not [name for name in entries[0] if name.upper().startswith("X-")]


def test_nobody_is_invited_to_what_is_not_approved(ctx: Context) -> None:
    visit = booked(ctx)
    waits = replace(visit, state=VisitState.PENDING)
    assert mail(ctx, waits, "booking_info").calendar == mail(ctx, waits, "update").calendar == ""
    gone = replace(cancelled(ctx, visit), cancel_reason=CancelReason.EXPIRED)
    letter = mail(ctx, gone, "cancellation")
    assert letter.calendar == "" and "no pudo ser aprobada" in letter.text


def test_lines_are_folded(ctx: Context) -> None:
    letter = mail(ctx, booked(ctx, replace(EVA, name="Ñandú " * 40)), "booking_info")
    assert max(len(line.encode()) for line in letter.calendar.split("\r\n")) <= 75


def test_a_booking_taken_back_meanwhile_is_not_invited_to(ctx: Context) -> None:
    assert mail(ctx, cancelled(ctx, booked(ctx)), "booking_info").calendar == ""
    assert mail(ctx, booked(ctx), "cancellation").calendar == ""


def test_without_a_mail_account_there_is_no_organizer_and_no_invitation(ctx: Context) -> None:
    assert mail(replace(ctx, accounts={}), booked(ctx), "booking_info").calendar == ""


# strangers' words


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("kind", ["booking_info", "agent_notice"])
def test_a_hostile_name_is_only_a_name(ctx: Context, name: str, kind: str) -> None:
    visit = booked(ctx, replace(EVA, name=name))
    letter = mail(ctx, visit, kind, {"about": "booking_info", "message": name})
    assert "\n" not in letter.subject and "\r" not in letter.subject
    assert "\u202e" not in letter.subject + letter.text + letter.html + letter.calendar
    tree = pages.document_fromstring(letter.html)
    assert not tree.xpath("//img|//script|//iframe|//@onerror")
    assert "49" not in letter.text.replace(letter.variables["visit_link"], "")
    if kind == "booking_info":
        entry = entry_of(letter)
        assert not entry.subcomponents and not isinstance(entry["ATTENDEE"], list)
        assert str(entry["ATTENDEE"]) == "mailto:eva@example.com"
        assert set(entry["ATTENDEE"].params) == {"CN", "ROLE", "PARTSTAT", "RSVP"}


# an administrator's own words


def test_own_words_take_the_place_of_ours_and_a_client_cannot_write_any(ctx: Context) -> None:
    own = MessageRule(
        kind="reminder",
        subject="Visita {{ fecha_del_evento }}",
        text="Hola {{ nombre_completo_del_invitado }}\n\nVea {{ enlace_visita }} hoy. <b>",
    )
    told = replace(ctx, directory=replace(ctx.directory, messages=(own,)))
    letter = mail(told, booked(ctx, replace(EVA, name="{{ 7*7 }}<i>")), "reminder")
    assert letter.subject.startswith("Visita martes")
    assert letter.text.startswith("Hola {{ 7*7 }}<i>\n\nVea https://visitas.example.cl/v/")
    tree = pages.document_fromstring(letter.html)
    assert not tree.xpath("//i|//b")
    assert tree.xpath("//a/@href") == [letter.variables["visit_link"]]


def test_words_for_an_event_type_go_before_those_for_everywhere(ctx: Context) -> None:
    visit = booked(ctx)
    assert visit.event_type is not None
    everywhere = MessageRule(kind="reminder", text="todas")
    here = MessageRule(kind="reminder", event_types=frozenset({visit.event_type}), text="esta")
    told = replace(ctx, directory=replace(ctx.directory, messages=(everywhere, here)))
    assert mail(told, visit, "reminder").text == "esta"


# --- windows --------------------------------------------------------------------------------------------------------


def test_an_administrator_s_words_make_one_proposal_of_a_visit(ctx: Context) -> None:
    """R051: the link is made where the words have it, and it is the same one however often they are written."""
    words = MessageRule(kind="booking_info", text="Otro horario: {{ enlace_propuesta }}")
    visit = booked(ctx)
    plain = compose(ctx, visit, "booking_info", Channel.EMAIL, "client", None)
    assert "/p/" not in plain.text
    asking = replace(ctx, directory=replace(ctx.directory, messages=(words,)))
    texts = {compose(asking, visit, "booking_info", Channel.EMAIL, "client", None).text for _ in range(3)}
    assert len(texts) == 1
    token = next(iter(texts)).strip().rpartition("/p/")[2]
    with ctx.store.read() as tx:
        subject = find_subject(ctx, tx, Purpose.PROPOSAL, token, ctx.clock.now())
        found = tx.proposals.named(f"visit:{visit.id}")
    assert found is not None and subject == f"proposal:{found.id}" and found.recipient.user == visit.host
    shown = compose(asking, booked_again(asking), "booking_info", Channel.EMAIL, "client", None, preview=True)
    assert shown.text.strip().endswith("/p/-")


def booked_again(ctx: Context) -> Visit:
    asked = Booking(project=town.CASAS, start=town.TUESDAY + timedelta(hours=1), contact=EVA, source=AccountId("page"))
    outcome = book(ctx, asked, cause(ctx))
    assert isinstance(outcome, Visit)
    return outcome
