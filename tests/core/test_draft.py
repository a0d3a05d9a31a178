"""What stands in a calendar entry, and what must never stand there."""

from datetime import timedelta

from syncd.core.directory import Agent, CalendarRef, CalendarRole, Directory, Project
from syncd.core.draft import mirror_drafts, visit_draft
from syncd.core.ids import AccountId, AgentId, CalendarId, HoursId, ProjectId
from syncd.core.template import fill, holes
from syncd.core.visit import Answer
from tests.core.values import NOW, STANDARD, TUESDAY, span, visit

TARGET = CalendarRef(
    id=CalendarId("oficina/ana"),
    account=AccountId("oficina"),
    name="ana",
    agent=AgentId("ana"),
    role=CalendarRole.PUBLISH,
)
ANA = Agent(id=AgentId("ana"), name="Ana Soto", email="ana@example.cl", hours=HoursId("h"), calendars=(TARGET,))
CASAS = Project(
    id=ProjectId("casas"),
    name="Casas",
    address="Av. Siempre Viva 742",
    time_zone="America/Santiago",
    team=(ANA.id,),
    event_types={"standard": STANDARD.id},
)
DIRECTORY = Directory(agents={ANA.id: ANA}, projects={CASAS.id: CASAS}, event_types={STANDARD.id: STANDARD}, hours={})
ANSWERS = (Answer(question="Número", answer="A-12"), Answer(question="¿Quién estará?", answer="Eva {{ direccion }}"))


def test_the_title_carries_project_and_first_answer() -> None:
    made = visit_draft(visit(answers=ANSWERS), TARGET, DIRECTORY)
    assert made.title == "Visita Casas - A-12"
    assert "Número: A-12" in made.body
    assert "Cliente: Eva Díaz" in made.body


def test_text_of_a_client_is_never_a_template() -> None:
    made = visit_draft(visit(answers=ANSWERS), TARGET, DIRECTORY)
    assert "Eva {{ direccion }}" in made.body
    assert fill("{{ a }}", {"a": "{{ b }}", "b": "no"}) == "{{ b }}"


def test_phone_and_tax_id_stay_out_of_calendars_unless_allowed() -> None:
    body = visit_draft(visit(answers=ANSWERS), TARGET, DIRECTORY).body
    assert "12345678" not in body
    allowed = CalendarRef(
        id=TARGET.id, account=TARGET.account, name="ana", agent=ANA.id, role=TARGET.role, fields=frozenset({"phone"})
    )
    narrow = visit_draft(visit(answers=ANSWERS), allowed, DIRECTORY)
    assert "+56912345678" in narrow.body
    assert "Eva" not in narrow.body and "A-12" not in narrow.title


def test_one_uid_in_every_calendar_and_a_stable_digest() -> None:
    one, two = (visit_draft(visit(), TARGET, DIRECTORY, generation) for generation in ("a", "b"))
    assert one.uid == two.uid == "visit-v1@syncd"
    assert one.content_hash == two.content_hash
    moved = visit_draft(visit(interval=span(TUESDAY + timedelta(hours=1))), TARGET, DIRECTORY)
    assert moved.content_hash != one.content_hash


def test_a_mirror_tells_times_and_one_word_and_never_its_own_blocks() -> None:
    busy = [
        (CalendarId("gmail/ana"), "secret-1", span(TUESDAY)),
        (CalendarId("gmail/otra"), "secret-2", span(TUESDAY)),
        (TARGET.id, "own", span(NOW)),
    ]
    made = mirror_drafts(busy, TARGET, "America/Santiago", "es_CL")
    assert [(one.title, one.interval, one.body, one.location) for one in made] == [("Ocupado", span(TUESDAY), "", "")]
    assert "secret" not in made[0].key.subject
    assert made[0].mirror


def test_a_template_tells_its_holes() -> None:
    assert holes("{{ proyecto }} {{respuesta_1}}") == ["proyecto", "respuesta_1"]
