"""Public holidays by country and region, from the `holidays` library (imported only where a file names some)."""

import difflib
import functools
from datetime import date

from syncd.config.problems import listed, quoted

NEEDS_REGION = frozenset({"DE", "ES", "IT"})  # too much differs inside these countries for one answer
PAST, AHEAD = 1, 5  # years around today


def read_holidays(value: object) -> str:
    """Read "CL" or "DE-BY"; raises ValueError saying what to write instead."""
    if not isinstance(value, str):
        raise ValueError('should be text in quotes: "CL" or "DE-BY"')
    country, _, region = value.partition("-")
    regions = _supported().get(country)
    if regions is None:
        near = difflib.get_close_matches(country.upper(), sorted(_supported()), 1, 0.9)
        advice = f"did you mean {quoted(near[0])}?" if near else 'write a country such as "CL"'
        raise ValueError(f"{quoted(value)} is no country with known holidays; {advice}")
    if not region and country in NEEDS_REGION:
        raise ValueError(f'{quoted(value)} needs a region: "{country}-{regions[0]}"; known: {listed(regions)}')
    if region and region not in regions:
        raise ValueError(f"{quoted(region)} is no region of {country}; known: {listed(regions)}")
    return value


@functools.cache
def _supported() -> dict[str, list[str]]:
    import holidays

    return {country: list(regions) for country, regions in holidays.list_supported_countries().items()}


@functools.cache
def days_of(code: str, year: int) -> frozenset[date]:
    """Return the holidays of a checked code from a year before `year` to five years after it."""
    import holidays

    country, _, region = code.partition("-")
    years = range(year - PAST, year + AHEAD + 1)
    return frozenset(holidays.country_holidays(country, subdiv=region or None, years=years))
