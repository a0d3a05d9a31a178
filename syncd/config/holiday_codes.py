"""Public holidays by country and region, from the `holidays` library (imported only where a file names some)."""

import difflib
import functools
import sys
from datetime import date
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from syncd.config.problems import listed, quoted

NEEDS_REGION = frozenset({"DE", "ES", "IT"})  # too much differs inside these countries for one answer
PAST, AHEAD = 1, 5  # years around today


def read_holidays(value: object) -> str:
    """Read "CL" or "DE-BY"; raises ValueError saying what to write instead."""
    if not isinstance(value, str):
        raise ValueError('should be text in quotes: "CL" or "DE-BY"')
    country, _, region = value.partition("-")
    if country not in _countries():
        near = difflib.get_close_matches(country.upper(), sorted(_countries()), 1, 0.9)
        advice = f"did you mean {quoted(near[0])}?" if near else 'write a country such as "CL"'
        raise ValueError(f"{quoted(value)} is no country with known holidays; {advice}")
    regions = list(getattr(_library(), country).subdivisions)
    if not region and country in NEEDS_REGION:
        raise ValueError(f'{quoted(value)} needs a region: "{country}-{regions[0]}"; known: {listed(regions)}')
    if region and region not in regions:
        raise ValueError(f"{quoted(region)} is no region of {country}; known: {listed(regions)}")
    return value


@functools.cache
def _library() -> Any:
    """Return the `holidays` library, made to load the countries that are asked for and no others.

    Each country is a module that stands alone, but their package imports all 250: 10 MiB, for as long as a daemon runs.
    """
    import holidays

    name = "holidays.countries"
    found = find_spec(name) if name not in sys.modules else None
    if found is not None and found.submodule_search_locations is not None:
        package = ModuleType(name)
        package.__path__ = list(found.submodule_search_locations)
        sys.modules[name] = package
    return holidays


@functools.cache
def _countries() -> frozenset[str]:
    return frozenset(_library().registry.EntityLoader.get_country_codes())


@functools.cache
def days_of(code: str, year: int) -> frozenset[date]:
    """Return the holidays of a checked code from a year before `year` to five years after it."""
    country, _, region = code.partition("-")
    years = range(year - PAST, year + AHEAD + 1)
    return frozenset(_library().country_holidays(country, subdiv=region or None, years=years))
