"""Languages: which one is spoken, days and times in words, and nothing said that is not translated."""

import re
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from syncd.language import LANGUAGES, Language, catalogues, language_of

ROOT = Path(__file__).parent.parent
MOMENT = datetime(2026, 5, 12, 14, 0, tzinfo=UTC)
HOLE = re.compile(r"%\((\w+)\)[sd]")


@pytest.mark.parametrize(
    ("wanted", "locale"),
    [
        (None, "es_CL"),
        ("", "es_CL"),
        ("it-IT,it;q=0.9,en;q=0.8", "it"),
        ("fr, de;q=0.3, en;q=0.5", "en"),
        ("es-ES", "es_CL"),
        ("en;q=0, de", "de"),
        ("pt", "es_CL"),
        ("en;q=nan, x" * 500, "es_CL"),
    ],
)
def test_the_language_that_is_liked_best_is_spoken(wanted: str | None, locale: str) -> None:
    assert language_of(wanted, "es_CL") == Language(locale)


def test_days_and_times_are_those_of_the_place() -> None:
    spanish, german = Language("es_CL"), Language("de")
    assert spanish.day(MOMENT, "America/Santiago") == "martes, 12 de mayo de 2026"
    assert german.day(MOMENT, "Pacific/Auckland") == "Mittwoch, 13. Mai 2026"
    assert spanish.time(MOMENT, "America/Santiago") == "10:00"


def said() -> set[str]:
    """Return every sentence that templates and code say to people."""
    methods = [("web/templates/**.html", "jinja2"), ("messages/**.html", "jinja2"), ("**.py", "python")]
    keywords = {"_": None, "gettext": None, "ngettext": (1, 2), "text": None, "several": (1, 2), "N_": None}
    found = extract_from_dir(ROOT / "syncd", methods, keywords=keywords)
    return {message if isinstance(message, str) else message[0] for _, _, message, _, _ in found}


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code != "en"])
def test_every_sentence_is_translated_once_with_the_same_holes(language: str) -> None:
    known: dict[str, str] = {}
    for file in catalogues()[language]:
        for one in read_po(BytesIO(file.read_bytes()), locale=language):
            if not one.id:
                continue
            name = one.id if isinstance(one.id, str) else one.id[0]
            texts = [one.string] if isinstance(one.string, str) else list(one.string or [""])
            assert name not in known, f"{file.name} translates {name!r} a second time"
            assert all(texts), f"{file.name} leaves {name!r} open"
            assert {*HOLE.findall(name)} <= {hole for text in texts for hole in HOLE.findall(text)} | {"count"}, name
            known[name] = texts[0]
    sentences = {one for one in said() if " " in one or one in known or one[:1].isupper()}
    assert sentences - known.keys() == set()
    assert known.keys() - said() == set(), "translated, and nobody says it any more"
