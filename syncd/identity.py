"""What people give to be known by, read and put into the one form in which it is compared: e-mail addresses, telephone
numbers, tax ids. Knows nobody."""

import re
import unicodedata
from collections.abc import Callable
from typing import Any

import phonenumbers
from email_validator import EmailNotValidError, ValidatedEmail, validate_email
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType
from stdnum.ar import cuit
from stdnum.cl import rut
from stdnum.de import idnr, vat
from stdnum.es import nif
from stdnum.exceptions import InvalidChecksum, ValidationError
from stdnum.it import codicefiscale, iva

from syncd.core.contacts import Identifier, IdentifierKind

TAX_IDS: dict[str, tuple[Any, ...]] = {
    "CL": (rut,), "AR": (cuit,), "ES": (nif,), "IT": (codicefiscale, iva), "DE": (idnr, vat),
}  # fmt: skip
SHORTEST_TAX_ID = 5  # letters and digits; shorter ones ("no", "n/a", "-") are words for having none

_PHONE = re.compile(r"(\(?[+0-9][0-9 ()./-]*)( *(ext|x|anexo|interno)[. ]*[0-9]{1,6})?", re.ASCII | re.IGNORECASE)


def read_email(text: str) -> str:
    """Return an address in its normal form; raises ValueError for what is none. Nobody is asked whether it exists."""
    return _valid(text).normalized


def _valid(text: str) -> ValidatedEmail:
    try:
        return validate_email(text, check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError:
        raise ValueError("must be an e-mail address") from None


def read_phone(text: str, region: str) -> str:
    """Return E.164 where the number can be read in the region, the text where it is at least a plain number.

    Raises ValueError for service codes (`*21*…`), premium numbers and anything that is no number: nobody may be
    made to call those (H74). An extension is dropped.
    """
    written = _PHONE.fullmatch(text.strip())
    if written is None or sum(map(str.isdigit, written[1])) < 5:
        raise ValueError("must be a telephone number, such as +56 9 1234 5678")
    plain = written[1].strip()
    try:
        number = phonenumbers.parse(plain, region)
    except NumberParseException:
        return plain
    if not phonenumbers.is_possible_number(number):
        return plain
    if phonenumbers.number_type(number) is PhoneNumberType.PREMIUM_RATE:
        raise ValueError("must not be a premium-rate number")
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def email_key(text: str) -> str | None:
    """Return the form in which addresses are compared, None for what is none.

    Capitals do not count: no provider tells mailboxes apart by them, and telephones write the first letter large. A
    domain is compared as the name system knows it, so that what only looks alike stays different (H73).
    """
    try:
        valid = _valid(text.strip())
    except ValueError:
        return None
    return f"{valid.local_part.lower()}@{(valid.ascii_domain or valid.domain).lower()}"


def phone_key(text: str, region: str) -> str | None:
    """Return the number with its country code, None for one that cannot be read so: too short to tell people apart."""
    try:
        read = read_phone(text, region)
    except ValueError:
        return None
    return read if read.startswith("+") and read[1:].isdigit() else None


def tax_id_key(text: str, country: str) -> str | None:
    """Return a tax id as its country writes it, tried at home first; one that is valid nowhere by its letters and
    digits. None for what is too short, and for the likes of 11.111.111-1, which stand for having none.
    """
    plain = "".join(filter(str.isalnum, unicodedata.normalize("NFC", text))).upper()
    valid = (_validated(read, text) for read in _readers(country))
    found = next((one for one in valid if one is not None), plain).lstrip("0")
    if len(found) < SHORTEST_TAX_ID or not any(map(str.isdigit, found)) or len(set(found[:-1])) == 1:
        return None
    return found


def is_mistyped_tax_id(text: str, country: str) -> bool:
    """Tell whether an id is written like one of this country and its check digit is wrong.

    Valid in another country, it is one of there; nothing but digits may be a number of any country.
    """
    if text.strip().isdigit() or any(_validated(read, text) is not None for read in _readers(country)):
        return False
    return any(_fails_its_check(module.validate, text) for module in TAX_IDS.get(country, ()))


def _fails_its_check(read: Callable[[str], str], text: str) -> bool:
    try:
        read(text)
    except InvalidChecksum:
        return True
    except ValidationError:
        pass
    return False


def _readers(country: str) -> list[Callable[[str], str]]:
    at_home_first = sorted(TAX_IDS, key=lambda one: one != country)
    return [module.validate for one in at_home_first for module in TAX_IDS[one]]


def _validated(read: Callable[[str], str], text: str) -> str | None:
    try:
        return read(text)
    except ValidationError:
        return None


def identifiers_of(email: str | None, phone: str | None, tax_id: str | None, region: str) -> frozenset[Identifier]:
    """Return what somebody can be recognised by, in normal forms; what cannot be read says nothing."""
    found = {
        IdentifierKind.EMAIL: email_key(email) if email else None,
        IdentifierKind.PHONE: phone_key(phone, region) if phone else None,
        IdentifierKind.TAX_ID: tax_id_key(tax_id, region) if tax_id else None,
    }
    return frozenset(Identifier(kind=kind, value=value) for kind, value in found.items() if value is not None)
