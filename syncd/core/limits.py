"""One table of limits on what anybody may hand us; every edge applies the same ones (security.md, section 3)."""

from datetime import timedelta

FIRST_YEAR = 2000
LAST_YEAR = 2100
LONGEST_VISIT = timedelta(hours=24)
LONGEST_WINDOW = timedelta(days=400)
FARTHEST_OFFSET = timedelta(hours=14)  # RFC 3339 allows 23:59; no place on earth is beyond +14:00

ID = 200  # characters
LINE = 300  # a name, a title, an address of a place
TEXT = 5_000  # an answer, a message, a requirement
EMAIL = 254  # RFC 5321 4.5.3.1.3
PHONE = 40
PASSWORD = 1_024

ANSWERS = 60
REQUIREMENTS = 500
PARTICIPANTS = 50
FACTS = 50
IDENTIFIERS = 20  # addresses, numbers and tax ids that one contact is known by

JSON_DEPTH = 64
HEADERS = 16 * 2**10  # bytes
HOOK_BODY = 256 * 2**10
API_BODY = 256 * 2**10
FORM_BODY = 64 * 2**10
FORM_FIELDS = 200
DAV_BODY = 10 * 2**20
BODY_SECONDS = 10.0  # from the first byte of a request's head, and again for its body


def is_sane_year(year: int) -> bool:
    """Tell whether a date may be in anybody's agenda."""
    return FIRST_YEAR <= year <= LAST_YEAR
