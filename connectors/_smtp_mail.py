"""Makes a mail of a letter: headers, alternatives, the invitation. Knows no server.

Names and addresses are strangers' words: cleaned, then held to a strict grammar, then written by the library that
refuses line breaks in headers (H65, H71).
"""

import hashlib
import re
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from syncd.core import limits
from syncd.core.letter import Letter
from syncd.errors import Permanent
from syncd.ical import one_line

POLICY = SMTP.clone(cte_type="7bit")  # no relay needs to know 8BITMIME
LONGEST_NAME = 100
LONGEST_SUBJECT = 200

# A stricter grammar than RFC 5321's: no quoted local part, no comment, no address literal, nothing but ASCII.
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_DOMAIN = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
)


def read_address(text: str) -> str:
    """Return an address as it goes over the wire, its domain in ASCII; raises ValueError for what is none."""
    local, at, domain = text.rpartition("@")
    try:
        domain = domain if domain.isascii() else domain.encode("idna").decode("ascii")
    except UnicodeError:
        domain = ""
    whole = f"{local}@{domain}"
    if not (at and len(whole) <= limits.EMAIL and len(local) <= 64 and _LOCAL.fullmatch(local)):
        raise ValueError("must be an e-mail address, such as visitas@example.cl")
    if not _DOMAIN.fullmatch(domain):
        raise ValueError("must be an e-mail address, such as visitas@example.cl")
    return whole


def mail_of(letter: Letter, *, sender: str, sender_name: str, reply_to: str | None, at: datetime) -> EmailMessage:
    """Return the mail; the same letter always has the same Message-ID. Raises Permanent for an address that is none."""
    try:
        to = read_address(letter.to)
    except ValueError as error:
        raise Permanent(f"the address of the reader {error}") from None
    mail = EmailMessage(policy=POLICY)
    mail["From"] = _address(sender_name, sender)
    mail["To"] = _address(letter.to_name, to)
    if answers_to := _answers_to(letter.reply_to) or reply_to:
        mail["Reply-To"] = _address("", answers_to)
    mail["Subject"] = one_line(letter.subject)[:LONGEST_SUBJECT]
    mail["Date"] = format_datetime(at)
    mail["Message-ID"] = message_id(letter.key, sender)
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no machine answers, so nothing goes round in circles (H80)
    mail["Content-Language"] = letter.locale[:2]
    mail.set_content(letter.text, charset="utf-8")
    if letter.html:
        mail.add_alternative(letter.html, subtype="html", charset="utf-8")
    if letter.calendar:
        params = {"method": letter.calendar_method}
        mail.add_alternative(letter.calendar, subtype="calendar", charset="utf-8", cte="base64", params=params)
    return mail


def _answers_to(text: str) -> str:
    """Return the address that a letter wants answers at; "" for none, and for what a client typed that is none."""
    try:
        return read_address(text) if text else ""
    except ValueError:
        return ""


def message_id(key: str, sender: str) -> str:
    """Return the Message-ID of a letter: from its key alone, which says nothing to whoever reads it."""
    digest = hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()[:40]
    return f"<{digest}@{sender.rpartition('@')[2]}>"


def _address(name: str, address: str) -> Address:
    local, _, domain = address.rpartition("@")
    return Address(one_line(name)[:LONGEST_NAME], local, domain)
