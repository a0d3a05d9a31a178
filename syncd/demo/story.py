"""The scenes of the demo. Each does what people would do, and looks for the result where people would see it: in
the calendars."""

import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import requests

from syncd.clock import SystemClock
from syncd.demo.calendars import Agenda, Entry
from syncd.demo.stage import EMBEDDED, OFFICE, ZONE, Json, Stage
from syncd.demo.telling import Teller

PEOPLE = {"Eva": "eva@example.com", "Luis": "luis@example.com", "Rosa": "rosa@example.com", "Iván": "ivan@example.com"}
QUESTION = "Indique el número de su propiedad"


def workday(after_days: int) -> datetime:
    """Return 11:00 local on the first weekday at least so many days from today."""
    day = SystemClock().now().astimezone(ZoneInfo(ZONE)) + timedelta(days=after_days)
    while day.weekday() > 4:
        day += timedelta(days=1)
    return day.replace(hour=11, minute=0, second=0, microsecond=0)


class BookingPage:
    """A client's browser on one booking page, without scripts."""

    def __init__(self, url: str) -> None:
        self.url = url

    def form(self, start: str) -> dict[str, str]:
        """Open the form for one time and return its hidden fields."""
        page = requests.get(self.url, params={"start": start, "lang": "es"}, timeout=20).text
        return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page))

    def send(self, fields: dict[str, str]) -> requests.Response:
        return requests.post(self.url, params={"lang": "es"}, data=fields, timeout=20)


class Story:
    """What happened so far: links given to clients, invitees at the scheduler."""

    def __init__(self, stage: Stage, teller: Teller) -> None:
        self.stage = stage
        self.tell = teller
        self.links: dict[str, str] = {}
        self.booked: dict[str, Json] = {}
        self.day = workday(3)
        self.agendas = {one: Agenda(f"{stage.url}/dav/{one}/visits/", one, stage.password) for one in EMBEDDED}
        self.agendas[OFFICE] = Agenda(f"{stage.office_url}/{OFFICE}/agenda/", OFFICE, "x")

    def entries(self, agent: str, containing: str) -> list[Entry]:
        return [one for one in self.agendas[agent].entries() if containing in one.title]

    def everywhere(self, containing: str) -> list[tuple[str, Entry]]:
        return [(agent, one) for agent in self.agendas for one in self.entries(agent, containing)]

    def book(self, client: str, start: datetime, unit: str, *, host: str | None = None, role: str = "standard") -> Json:
        """Book at the scheduler as a client who opened a link, or as one who came without."""
        link = self.links.get(client)
        return self.stage.steer(
            "book",
            event_type=self.stage.event_types[role],
            start=start.astimezone(UTC).isoformat(),
            name=client,
            email=PEOPLE[client],
            answers=[[QUESTION, unit]],
            host=self.stage.users[host] if host else None,
            force=True,
            **({"link": link} if link else {}),
        )

    def visits(self, **query: str) -> list[Json]:
        answer = self.stage.api("GET", "/api/visits?" + "&".join(f"{key}={value}" for key, value in query.items()))
        return list(answer.json()["items"])


def routing(story: Story) -> None:
    story.tell.scene("Four requests, four kinds of visit")
    wants = {
        "standard": [{"id": "1", "priority": "normal", "in_warranty": True}],
        "urgent": [{"id": "1", "priority": "urgent", "in_warranty": True}],
        "long": [{"id": str(n), "priority": "normal", "in_warranty": True} for n in range(16)],
        "out_of_warranty": [{"id": "1", "priority": "normal", "in_warranty": False}],
    }
    names = {"standard": "visita", "urgent": "urgente", "long": "larga", "out_of_warranty": "fuera"}
    for client, (role, requirements) in zip(PEOPLE, wants.items(), strict=True):
        contact = {"name": client, "email": PEOPLE[client]}
        answer = story.stage.api(
            "POST",
            "/api/requests",
            id=f"demo-{role}",
            project="Casas Plan OK",
            contact=contact,
            requirements=requirements,
        )
        told = answer.json()
        story.tell.check(
            f"{len(requirements)} requirement(s) of {client} → {told.get('event_type')}",
            answer.status_code == 201 and told["event_type"] == names[role],
        )
        story.links[client] = told["booking_url"]
    story.tell.check(
        "the booking link carries our signed request id", "utm_content=demo-standard." in story.links["Eva"]
    )


def booking(story: Story) -> None:
    story.tell.scene("Eva books through the link; the visit stands in Diego's calendar, on his own server")
    story.booked["Eva"] = story.book("Eva", story.day, "A-12", host=OFFICE)
    found = story.tell.until("the entry is there, over CalDAV", lambda: story.entries(OFFICE, "A-12"))
    story.tell.check(f"its title is “{found[0].title}”", found[0].title == "Visita Casas PlanOK - A-12")
    story.tell.check("it stands at the time booked, once", len(found) == 1 and found[0].start == story.day)
    story.tell.check("with place and answer", "Siempre Viva" in found[0].location and "A-12" in found[0].body)
    visit = story.visits(agent=OFFICE)[0]
    story.tell.check("the visit knows its request", visit["request"] == "demo-standard")


def rescheduling(story: Story) -> None:
    story.tell.scene("Eva moves to the next day; the two deliveries arrive in the wrong order")
    later = workday(6) + timedelta(hours=1)
    before = story.visits(agent=OFFICE)[0]["id"]
    story.stage.steer("switches", hold=True)
    moved = story.stage.steer(
        "reschedule",
        invitee=story.booked["Eva"]["invitee"],
        start=later.astimezone(UTC).isoformat(),
        force=True,
        host=story.stage.users[OFFICE],
    )
    story.stage.steer("switches", hold=False)
    story.stage.steer("release", backwards=True)
    story.tell.say("the cancellation of the old time was delivered first, the new booking after it" if moved else "")
    story.tell.until(
        "one entry, at the new time", lambda: [one.start for one in story.entries(OFFICE, "A-12")] == [later]
    )
    visits = story.visits(agent=OFFICE)
    story.tell.check(
        "it is still the same visit", [one["id"] for one in visits if one["state"] == "confirmed"] == [before]
    )


def racing(story: Story) -> None:
    story.tell.scene("Luis and Rosa take Ana's 12:00 at the same moment")
    at = story.day + timedelta(hours=1)
    story.links.pop("Luis"), story.links.pop("Rosa")
    racers = [
        threading.Thread(target=story.book, args=(one, at, unit), kwargs={"host": "ana"})
        for one, unit in (("Luis", "B-1"), ("Rosa", "B-2"))
    ]
    for one in racers:
        one.start()
    for one in racers:
        one.join()
    both = story.tell.until(
        "both bookings are known", lambda: pair if len(pair := story.visits(agent="ana")) == 2 else None
    )
    states = sorted(one["state"] for one in both)
    story.tell.check(f"exactly one holds the time: {states}", states == ["confirmed", "conflict"])
    lost = next(one for one in both if one["state"] == "conflict")
    story.tell.check(
        f"{lost['contact']['name']}'s booking is kept, with {len(lost['conflict']['alternatives'])} other times",
        lost["answers"][0]["answer"] in ("B-1", "B-2") and len(lost["conflict"]["alternatives"]) > 0,
    )
    story.tell.until("Ana's calendar has one entry for it", lambda: len(story.entries("ana", "B-")) == 1)


def personal_event(story: Story) -> None:
    story.tell.scene("Bruno goes to the dentist: the visit moves to a colleague")
    at = story.day + timedelta(hours=4)
    contact = {"name": "Iván", "email": PEOPLE["Iván"]}
    answers = [{"question": QUESTION, "answer": "T-9"}]
    answer = story.stage.api(
        "POST", "/api/visits", project="torre", host="bruno", start=at.isoformat(), contact=contact, answers=answers
    )
    story.tell.check("the visit is booked for Bruno through the API", answer.status_code == 201)
    story.tell.until("it stands in Bruno's calendar", lambda: story.entries("bruno", "T-9"))
    story.agendas["bruno"].add("Dentista", at, at + timedelta(hours=1))
    story.tell.say("Bruno's telephone puts “Dentista” over it")
    there = story.tell.until(
        "the visit stands in a colleague's calendar",
        lambda: [agent for agent, _ in story.everywhere("T-9") if agent != "bruno"],
    )
    story.tell.until("and no longer in Bruno's", lambda: not story.entries("bruno", "T-9"))
    story.tell.check(f"once: {there[0].capitalize()} has it", len(story.everywhere("T-9")) == 1)
    story.tell.check("the dentist was left alone", len(story.entries("bruno", "Dentista")) == 1)
    history = story.stage.api("GET", f"/api/visits/{answer.json()['id']}/history").json()["items"]
    story.tell.check("the history says why", any("busy" in one["note"] for one in history))


def own_page(story: Story) -> None:
    story.tell.scene("Rosa books on our own page; Luis had it open for the same time")
    at = workday(13).isoformat(timespec="seconds")
    pages = {client: _page_of(story, client) for client in ("Rosa", "Luis")}
    forms = {client: page.form(start=at) for client, page in pages.items()}
    first = pages["Rosa"].send(forms["Rosa"] | {"answer_1": "P-1"})
    story.tell.check("she sees her visit", first.status_code == 200 and "Su visita está reservada" in first.text)
    story.tell.until("it stands in one calendar", lambda: len(story.everywhere("P-1")) == 1)
    again = pages["Rosa"].send(forms["Rosa"] | {"answer_1": "P-1"})
    visits = story.visits(project="torre")
    mine = [one for one in visits if one["request"] == "demo-page-Rosa"]
    story.tell.check("pressed twice, it is one visit", again.status_code == 200 and len(mine) == 1)
    for unit in ("P-2", "P-3"):  # the two colleagues who were free as well
        _fill(story, at, unit)
    lost = pages["Luis"].send(forms["Luis"] | {"answer_1": "P-4"})
    others = re.findall(r'type="radio" name="start" value="([^"]+)"', lost.text)
    story.tell.check(
        f"Luis is told that it has gone, with {len(others)} times near it, and what he wrote is still there",
        lost.status_code == 409 and len(others) == 5 and "P-4" in lost.text,
    )
    taken = pages["Luis"].send(forms["Luis"] | {"answer_1": "P-4", "start": others[0]})
    story.tell.check("he takes the first of them", "Su visita está reservada" in taken.text)


def _page_of(story: Story, client: str) -> BookingPage:
    """Hand a request in for a project that has no outside scheduler, and open the link that comes back."""
    contact = {"name": client, "email": PEOPLE[client]}
    answer = story.stage.api("POST", "/api/requests", id=f"demo-page-{client}", project="torre", contact=contact)
    return BookingPage(answer.json()["booking_url"])


def _fill(story: Story, at: str, unit: str) -> None:
    answers = [{"question": QUESTION, "answer": unit}]
    contact = {"name": unit, "email": f"{unit}@example.com"}
    answer = story.stage.api("POST", "/api/visits", project="torre", start=at, contact=contact, answers=answers)
    story.tell.check(f"a colleague's visit takes the same time ({unit})", answer.status_code == 201)


def killing(story: Story) -> None:
    story.tell.scene("kill -9 while six bookings arrive")
    starts = [story.day + timedelta(days=7, minutes=30 * n) for n in range(6)]
    for number, start in enumerate(starts):
        if number == 3:
            story.stage.kill_daemon()
            story.tell.say("killed, after three bookings")
        story.book("Eva", start, f"K-{number}", host="carla")
    story.stage.start_daemon()
    story.tell.say("started again; the scheduler repeats what was not acknowledged, the daemon asks for the rest")
    story.tell.until("all six stand in Carla's calendar", lambda: len(story.entries("carla", "K-")) == 6)
    titles = [one.title for one in story.entries("carla", "K-")]
    story.tell.check("each of them once", len(set(titles)) == 6)
    wanted = len([one for one in story.visits(agent="carla") if one["state"] == "confirmed"])
    story.tell.check("and as many visits as bookings", wanted == 6)


def cancelling(story: Story) -> None:
    story.tell.scene("Eva cancels; the time is free at once")
    target = story.visits(agent=OFFICE)[0]
    story.stage.steer("cancel", invitee=target["source"]["id"], reason="No puedo")
    story.tell.until("Diego's calendar is empty", lambda: not story.entries(OFFICE, "A-12"))
    kept = story.stage.api("GET", f"/api/visits/{target['id']}").json()
    story.tell.check("the visit is kept as cancelled by the client", kept["cancel_reason"] == "client")


def quiet(story: Story) -> None:
    story.tell.scene("And then nothing is left to do")
    story.tell.until("`syncd plan` is empty", lambda: "nothing" in story.stage.syncd("plan").lower())
    ready = requests.get(f"{story.stage.url}/readyz", timeout=10)
    story.tell.check("every source is fresh", ready.status_code == 200)


STEPS: tuple[Callable[[Story], None], ...] = (
    routing,
    booking,
    rescheduling,
    racing,
    personal_event,
    killing,
    cancelling,
    own_page,
    quiet,
)
