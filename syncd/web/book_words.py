"""What the booking page says about the place and the kind of visit, in the reader's language. Knows no store."""

from typing import Any

from syncd.core.directory import Directory
from syncd.core.visit import Dwelling
from syncd.flows.book import Place
from syncd.flows.opening import Opening
from syncd.language import Language
from syncd.web.visit_words import kind_name, length_of


def place_words(directory: Directory, opening: Opening, language: Language) -> dict[str, Any]:
    """Return what every step of the booking page shows; what is not configured is empty."""
    project = directory.projects.get(opening.project) if opening.project is not None else None
    kind = opening.place.event_type if isinstance(opening.place, Place) else None
    dwelling = opening.dwelling
    responsible = project.responsible if project is not None else None
    return {
        "project": project.name if project is not None else "",
        "address": project.address if project is not None else "",
        "photo": _photo(dwelling.photo_url if dwelling else None) or _photo(project.photo_url if project else None),
        "kind": kind_name(kind, project) if kind is not None else "",
        "length": length_of(language, kind.duration) if kind is not None else "",
        "description": kind.description if kind is not None else "",
        "approval": kind is not None and kind.approval,
        "holds": kind is not None and kind.pending_holds,
        "within": length_of(language, kind.pending_expires) if kind is not None else "",
        "dwelling": dwelling,
        "facts": [*_dwelling_facts(dwelling), *(project.facts if project is not None else ())],
        "responsible": directory.agents.get(responsible) if responsible is not None else None,
    }


def _photo(url: str | None) -> str:
    """Return a picture's address; only secure ones are shown, and the browser would refuse any other."""
    return url if url is not None and url.startswith("https://") else ""


def _dwelling_facts(dwelling: Dwelling | None) -> tuple[tuple[str, str], ...]:
    return dwelling.facts if dwelling is not None else ()
