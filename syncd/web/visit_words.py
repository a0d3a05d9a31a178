"""What the page of a visit says about it, in the reader's language. Knows no request and no store."""

import re
from datetime import timedelta
from typing import Any

from syncd.core.directory import Agent, Directory, Project
from syncd.core.draft import visit_subject
from syncd.core.event_type import EventType
from syncd.core.ids import CalendarId
from syncd.core.publish import EventDraft, EventKey
from syncd.core.template import fill
from syncd.core.visit import Visit, VisitState
from syncd.language import Language

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def reasons_of(language: Language) -> dict[str, str]:
    """Return why clients cancel, by the word that a form carries."""
    return {
        "time": language.text("The time does not suit me"),
        "ill": language.text("Illness, or something urgent"),
        "solved": language.text("The visit is no longer needed"),
        "mistake": language.text("I did not book this visit"),
        "other": language.text("Another reason"),
    }


def facts_of(directory: Directory, visit: Visit, language: Language) -> dict[str, Any]:
    """Return what is known of a visit's place, people and rules; what is not configured is empty."""
    project = directory.projects.get(visit.project) if visit.project is not None else None
    kind = directory.event_types.get(visit.event_type) if visit.event_type is not None else None
    return {
        "project": project.name if project is not None else "",
        "kind": kind_name(kind, project) if kind is not None else visit.title,
        "address": visit.location or (project.address if project is not None else ""),
        "host": _agent(directory, visit.host),
        "responsible": _agent(directory, project.responsible if project is not None else None),
        "description": kind.description if kind is not None else "",
        "notice": length_of(language, kind.cancel_notice) if kind is not None else "",
    }


def kind_name(kind: EventType, project: Project | None) -> str:
    """Return what a kind of visit is called; its name may name the project."""
    values = {"proyecto": project.name, "direccion": project.address} if project is not None else {}
    return fill(kind.name, values)


STATUS = {VisitState.CONFIRMED: "CONFIRMED", VisitState.PENDING: "TENTATIVE"}  # any other: CANCELLED


def own_copy(directory: Directory, visit: Visit, language: Language) -> EventDraft:
    """Return the entry of the visit for the client's own calendar; its uid is that of the agents' entries."""
    facts = facts_of(directory, visit, language)
    host = language.text("With %(name)s", name=facts["host"].name) if facts["host"] is not None else ""
    return EventDraft(
        key=EventKey(visit_subject(visit.id), CalendarId("")),
        uid=f"visit-{visit.id}@syncd",
        interval=visit.interval,
        time_zone=visit.time_zone,
        title=_title(facts["kind"], facts["project"]) or language.text("Your visit"),
        location=facts["address"],
        body="\n".join(one for one in (host, facts["description"]) if one),
    )


def _title(kind: str, project: str) -> str:
    """Return the kind of visit and its project, which is not said twice where the kind names it."""
    if project and re.search(rf"(?<!\w){re.escape(project)}(?!\w)", kind, re.IGNORECASE):
        return kind
    return " · ".join(one for one in (kind, project) if one)


def _agent(directory: Directory, agent: str | None) -> Agent | None:
    return next((one for one in directory.agents.values() if one.id == agent), None)


def length_of(language: Language, length: timedelta) -> str:
    """Return a length of time in whole hours, or in minutes where it is none; "" for nothing at all."""
    if not length:
        return ""
    if length % HOUR:
        return language.several("%(count)s minute", "%(count)s minutes", length // MINUTE)
    return language.several("%(count)s hour", "%(count)s hours", length // HOUR)
