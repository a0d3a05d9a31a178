"""The fields of the booking form: which are asked, what was typed into them, and what is wrong with it, in the
reader's language. Knows no store."""

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from syncd.core import limits
from syncd.core.directory import Directory
from syncd.core.visit import Answer, Contact, Dwelling
from syncd.flows.book import Place
from syncd.flows.opening import Opening
from syncd.ical import lines, one_line
from syncd.identity import is_mistyped_tax_id, read_email, read_phone
from syncd.language import Language

ANSWER = 1_000  # characters of one answer: sixty of them fit into a form
BLANKS = frozenset("\u115f\u1160\u2800\u3164\uffa0")  # letters and signs that are drawn as nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field as the page shows it; `error` says what is wrong with what was typed."""

    name: str
    label: str
    kind: str = "text"  # text | email | tel | lines
    required: bool = False
    value: str = ""
    autocomplete: str = "off"
    most: int = limits.LINE
    error: str = ""


def fields_of(opening: Opening, language: Language) -> list[Field]:
    """List what the form asks for: what is missing of the contact, the property where it is open, the questions."""
    if opening.lost is not None:
        return []
    return [*_contact_fields(opening.contact, language), *_property_field(opening, language), *_asked(opening)]


def _contact_fields(known: Contact | None, language: Language) -> list[Field]:
    text = language.text
    every = [
        (known and known.name, Field(name="name", label=text("Your name"), required=True, autocomplete="name")),
        (
            known and known.email,
            Field(
                name="email",
                label=text("E-mail"),
                kind="email",
                required=True,
                autocomplete="email",
                most=limits.EMAIL,
            ),
        ),
        (
            known and known.phone,
            Field(name="phone", label=text("Telephone"), kind="tel", autocomplete="tel", most=limits.PHONE),
        ),
        (known and known.tax_id, Field(name="tax_id", label=text("Tax number"), most=limits.PHONE)),
    ]
    return [field for value, field in every if not value]


def is_open(opening: Opening) -> bool:
    """Tell whether the client says which property is meant."""
    project = opening.place.project if isinstance(opening.place, Place) else None
    return opening.dwelling is None or (project is not None and not project.lock_property)


def _property_field(opening: Opening, language: Language) -> list[Field]:
    if not is_open(opening):
        return []
    known = opening.dwelling
    label = language.text("Property (house, flat or unit)")
    return [Field(name="property", label=label, value=(known.name or known.id) if known else "", most=limits.ID)]


def _asked(opening: Opening) -> list[Field]:
    """Return a field for each question; what was answered already stands in it."""
    if not isinstance(opening.place, Place):
        return []
    answered = {one.question: one.answer for one in opening.answers}
    return [
        Field(
            name=f"answer_{number}",
            label=one.text,
            kind="lines",
            required=one.required,
            value=answered.get(one.text, ""),
            most=ANSWER,
        )
        for number, one in enumerate(opening.place.event_type.questions, 1)
    ]


def typed(fields: list[Field], posted: Mapping[str, str]) -> list[Field]:
    """Return the fields with what was typed, as it was typed."""
    return [replace(one, value=posted.get(one.name, one.value)) for one in fields]


# --- judging --------------------------------------------------------------------------------------------------------


def judged(fields: list[Field], directory: Directory, language: Language) -> list[Field]:
    """Return the fields with what is wrong in each."""
    return [replace(one, error=_fault(one, directory, language)) for one in fields]


def _fault(field: Field, directory: Directory, language: Language) -> str:
    value = clean(field)
    if not value:
        return language.text("Please fill this in.") if field.required else ""
    if len(value) > field.most:
        return language.text("At most %(count)s characters fit here.", count=field.most)
    reader = _readers(directory).get(field.kind)
    try:
        if reader is not None:
            reader(value)
    except ValueError:
        return _unreadable(field.kind, language)
    if field.name == "tax_id" and is_mistyped_tax_id(value, directory.region):
        return language.text("The check digit does not fit this number. Please check it, or leave it out.")
    return ""


def _unreadable(kind: str, language: Language) -> str:
    if kind == "email":
        return language.text("This is no e-mail address. It looks like name@example.com.")
    return language.text("This telephone number cannot be used. It looks like +56 9 1234 5678.")


def _readers(directory: Directory) -> dict[str, Callable[[str], str]]:
    return {"email": read_email, "tel": lambda text: read_phone(text, directory.region)}


def clean(field: Field) -> str:
    """Return what was typed as it is kept: no controls, no marks that turn the reading direction; "" where nothing
    of it can be seen."""
    found = lines(field.value).strip() if field.kind == "lines" else one_line(field.value)
    return found if any(map(_is_seen, found)) else ""


def _is_seen(char: str) -> bool:
    """Tell whether a character shows by itself: no blank, no joiner, no accent without its letter."""
    return unicodedata.category(char)[0] not in "CMZ" and char not in BLANKS


# --- keeping --------------------------------------------------------------------------------------------------------


def contact_of(opening: Opening, fields: list[Field], directory: Directory) -> Contact:
    """Return who books: what was known, and of the rest what was typed."""
    said = {one.name: clean(one) for one in fields}
    known = opening.contact or Contact(name="")
    phone = read_phone(said["phone"], directory.region) if said.get("phone") else known.phone
    return Contact(
        name=known.name or said.get("name", ""),
        email=known.email or (read_email(said["email"]) if said.get("email") else None),
        phone=phone,
        tax_id=known.tax_id or said.get("tax_id") or None,
    )


def dwelling_of(opening: Opening, fields: list[Field]) -> Dwelling | None:
    """Return the property that is visited: the known one unless another was typed where that is open."""
    known = opening.dwelling
    said = next((clean(one) for one in fields if one.name == "property"), "")
    if not said or (known is not None and said in (known.name, known.id)):
        return known
    return Dwelling(id=said)


def answers_of(fields: list[Field]) -> tuple[Answer, ...]:
    """Return the answers in the order of the questions. One that is empty keeps its place where others follow:
    `respuesta_2` in a title is the answer to the second question."""
    given = [Answer(question=one.label, answer=clean(one)) for one in fields if one.name.startswith("answer_")]
    while given and not given[-1].answer:
        given.pop()
    return tuple(given)
