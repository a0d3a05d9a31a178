"""The languages that people are spoken to in: words through gettext, days and times in words. Spanish comes first.

A sentence stands in English where it is used; `texts/<language>/<room>.po` holds it in the others, one file for each
room of the house that speaks. The files are read as they are: there is nothing to build.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_time, get_timezone_location
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LANGUAGES = ("es", "it", "en", "de")  # the first is spoken where none of them was asked for
TEXTS = Path(__file__).parent / "texts"
WORST = 20  # languages of a header that are looked at


@cache
def _translations(language: str) -> NullTranslations:
    """Return the sentences of a language, from every room; English ones stand in the code."""
    found: NullTranslations = NullTranslations()
    for file in sorted((TEXTS / language).glob("*.po")):
        with file.open("rb") as text:
            catalogue = read_po(text, locale=language, abort_invalid=True)
        packed = BytesIO()
        write_mo(packed, catalogue)
        packed.seek(0)
        following = GNUTranslations(packed)
        following.add_fallback(found)
        found = following
    return found


@dataclass(frozen=True, slots=True)
class Language:
    """One language with the habits of a country: `es_CL` speaks Spanish and writes dates as in Chile."""

    locale: str

    @property
    def code(self) -> str:
        """Return the bare language, as the `lang` attribute of a page wants it."""
        return self.locale[:2]

    def text(self, message: str, **values: object) -> str:
        """Return a sentence with its values, written in it as `%(name)s`. Values are put in as they are: whoever
        makes a page escapes them."""
        said = _translations(self.code).gettext(message)
        return said % values if values else said

    def several(self, one: str, many: str, count: int, **values: object) -> str:
        """Return the sentence for so many, which may name it as `%(count)s`."""
        return _translations(self.code).ngettext(one, many, count) % (values | {"count": count})

    def raw(self, message: str) -> str:
        """Return a sentence as it stands, its holes open: templates fill them, escaped."""
        return _translations(self.code).gettext(message)

    def raw_several(self, one: str, many: str, count: int) -> str:
        return _translations(self.code).ngettext(one, many, count)

    def day(self, moment: datetime | date, zone: str | None = None) -> str:
        """Return a day in words, such as "martes, 12 de mayo de 2026"; of an instant, the one in the zone."""
        return format_date(_local(moment, zone), "full", locale=self._babel)

    def short_day(self, moment: datetime | date, zone: str | None = None) -> str:
        """Return a day in a few letters, such as "mar 12 may"."""
        return format_date(_local(moment, zone), "EEE d MMM", locale=self._babel)

    def time(self, moment: datetime, zone: str) -> str:
        """Return the wall-clock time of an instant in a zone, such as "10:00"."""
        return format_time(moment.astimezone(ZoneInfo(zone)), "HH:mm", locale=self._babel)

    def city(self, zone: str) -> str:
        """Return the place whose time a zone keeps, such as "Santiago": what people call a zone by."""
        return get_timezone_location(ZoneInfo(zone), locale=self._babel, return_city=True)

    @property
    def _babel(self) -> Locale:
        return _locale(self.locale)


@cache
def _locale(name: str) -> Locale:
    return Locale.parse(name)


def _local(moment: datetime | date, zone: str | None) -> datetime | date:
    return moment.astimezone(ZoneInfo(zone)) if isinstance(moment, datetime) and zone is not None else moment


def language_of(wanted: str | None, locale: str) -> Language:
    """Return the language that an Accept-Language header likes best of ours, else that of the installation's locale.

    Where both are the same language, the installation's country decides how dates are written.
    """
    code = next((one for one in _liked(wanted or "") if one in LANGUAGES), locale[:2])
    return Language(locale if code == locale[:2] else code)


def _liked(header: str) -> Iterator[str]:
    """Yield the bare languages of a header, the best liked first (RFC 9110 12.5.4); what makes no sense is left out."""
    weighed: list[tuple[float, int, str]] = []
    for number, part in enumerate(header.split(",")[:WORST]):
        name, _, weight = part.strip().partition(";")
        liking = _weight(weight)
        if liking > 0:
            weighed.append((-liking, number, name.strip().partition("-")[0].lower()))
    return (name for _, _, name in sorted(weighed))


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if not parameter.strip():
        return 1.0
    try:
        found = float(value) if name.strip().lower() == "q" else 0.0
    except ValueError:
        return 0.0
    return found if 0 <= found <= 1 else 0.0


def catalogues() -> Mapping[str, list[Path]]:
    """Return the files of each language that is not English, for those who check them."""
    return {code: sorted((TEXTS / code).glob("*.po")) for code in LANGUAGES if code != "en"}
