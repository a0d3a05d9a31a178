"""Composes the calendar entries of visits and of mirrored busy time; only fields the target calendar may show."""

import hashlib
from collections.abc import Iterable

from syncd.core.directory import CalendarRef, Directory
from syncd.core.event_type import EventType
from syncd.core.ids import CalendarId
from syncd.core.interval import Interval
from syncd.core.publish import EventDraft, EventKey
from syncd.core.template import fill
from syncd.core.visit import Visit
from syncd.core.wording import word

SHOWN = frozenset({"title", "client", "email", "answers", "location", "property"})  # default: no phone, no tax id (N14)


def visit_subject(visit: str) -> str:
    return f"visit:{visit}"


def visit_draft(visit: Visit, target: CalendarRef, directory: Directory, generation: str = "") -> EventDraft:
    """Return the entry a visit should have in one calendar."""
    shown = SHOWN if target.fields is None else target.fields
    kind = directory.event_types.get(visit.event_type) if visit.event_type is not None else None
    values = variables(visit, directory)
    title = fill(kind.title, values) if kind is not None and "title" in shown else ""
    return EventDraft(
        key=EventKey(visit_subject(visit.id), target.id),
        uid=f"visit-{visit.id}@syncd",
        interval=visit.interval,
        time_zone=visit.time_zone,
        title=title or word("visit", directory.locale),
        location=visit.location if "location" in shown else "",
        body=_body(visit, kind, values, shown, directory.locale),
        generation=generation,
    )


def variables(visit: Visit, directory: Directory) -> dict[str, str]:
    """Return what templates may name; see template.VARIABLES."""
    project = directory.projects.get(visit.project) if visit.project is not None else None
    kind = directory.event_types.get(visit.event_type) if visit.event_type is not None else None
    agent = directory.agents.get(visit.host) if visit.host is not None else None
    values = {
        "proyecto": project.name if project else "",
        "direccion": project.address if project else "",
        "tipo": kind.name if kind else "",
        "agente": agent.name if agent else "",
        "cliente": visit.contact.name,
        "propiedad": visit.dwelling.name or visit.dwelling.id if visit.dwelling else "",
        "preguntas_y_respuestas": "\n".join(f"{one.question}: {one.answer}" for one in visit.answers),
    }
    return values | {f"respuesta_{number}": one.answer for number, one in enumerate(visit.answers, 1)}


def _body(visit: Visit, kind: EventType | None, values: dict[str, str], shown: frozenset[str], locale: str) -> str:
    if kind is not None and kind.body and "answers" in shown:
        return fill(kind.body, values)
    contact = visit.contact
    lines = [
        _line("client", contact.name, shown, locale),
        _line("email", contact.email, shown, locale),
        _line("phone", contact.phone, shown, locale),
        _line("tax_id", contact.tax_id, shown, locale),
        _line("property", values["propiedad"], shown, locale),
        values["preguntas_y_respuestas"] if "answers" in shown else "",
    ]
    return "\n".join(line for line in lines if line)


def _line(name: str, value: str | None, shown: frozenset[str], locale: str) -> str:
    return f"{word(name, locale)}: {value}" if value and name in shown else ""


def mirror_drafts(
    busy: Iterable[tuple[CalendarId, str, Interval]], target: CalendarRef, zone: str, locale: str, generation: str = ""
) -> list[EventDraft]:
    """Return the copies of busy time for a mirror calendar: times and one word, nothing else (S29).

    `busy` gives each block's calendar, its entry there, and its interval; blocks of the target itself are left out,
    and copies of one and the same time are made once.
    """
    drafts: dict[Interval, EventDraft] = {}
    for calendar, entry, interval in sorted(busy, key=lambda one: (one[2], one[0], one[1])):
        if calendar != target.id and interval not in drafts:
            drafts[interval] = _mirror_draft(f"{calendar}|{entry}", interval, target, zone, locale, generation)
    return list(drafts.values())


def _mirror_draft(
    source: str, interval: Interval, target: CalendarRef, zone: str, locale: str, generation: str
) -> EventDraft:
    start, end = interval.epoch
    name = hashlib.sha256(f"{target.agent}|{source}|{start}|{end}".encode()).hexdigest()[:24]
    return EventDraft(
        key=EventKey(f"mirror:{name}", target.id),
        uid=f"mirror-{name}@syncd",
        interval=interval,
        time_zone=zone,
        title=word("busy", locale),
        generation=generation,
        mirror=True,
    )
