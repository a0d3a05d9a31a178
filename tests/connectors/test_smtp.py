"""Mail: what a relay is handed, parsed back; what its answers mean; what strangers' words cannot do."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar
from pydantic import ValidationError

from connectors._smtp_mail import mail_of, read_address
from connectors.smtp import SPEC, SmtpMessenger, SmtpSettings
from syncd.core.ids import AccountId
from syncd.core.letter import Channel, Letter
from syncd.errors import Ambiguous, AuthFailed, ConnectorError, Permanent, Transient
from syncd.ports import Environment, Messenger
from tests.contracts.messenger import HOSTILE_NAMES, MessengerContract, Peer
from tests.servers.calendly import HandClock
from tests.servers.certificates import server_context
from tests.servers.mail import LOGIN, Relay, relay

ACCOUNT, FROM = AccountId("correo"), "visitas@example.cl"
AT = datetime(2026, 5, 12, 14, 0, tzinfo=UTC)
CALENDAR = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//ES\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:visit-1@syncd\r\nDTSTAMP:20260512T140000Z\r\nSUMMARY:Visita ñ\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"  # noqa: E501
LETTER = Letter(
    key="message:booking_info:1:1:client",
    channel=Channel.EMAIL,
    kind="booking_info",
    to="eva@example.com",
    to_name="Eva Díaz",
    subject="Su visita del martes",
    text="Hola, Eva:\n\n.una línea con punto\nñandú\n",
    html="<p>Hola</p>",
    calendar=CALENDAR,
    calendar_method="REQUEST",
)


def settings(port: int = 1, **changes: Any) -> SmtpSettings:
    plain = {"host": "127.0.0.1", "port": port, "security": "none", "from": FROM, "from_name": "Casas PlanOK"}
    return SmtpSettings.model_validate(plain | changes)


def env(**changes: Any) -> Environment:
    return Environment(clock=HandClock(), secret=lambda purpose: b"", **changes)


def messenger(server: Relay, ca: Path | None = None, **changes: Any) -> SmtpMessenger:
    return SmtpMessenger(settings(server.port, **changes), env(ca_file=str(ca) if ca else None))


@dataclass
class MailPeer(Peer):
    server: Relay
    messenger: Messenger
    letter: Letter
    taken: Callable[[], int]

    def fail(self, how: str) -> None:
        match how:
            case "busy":
                self.server.answers["RCPT"] = "451 later"
            case "refused":
                self.server.answers["RCPT"] = "550 nobody of that name"
            case "login":
                self.server.answers["MAIL"] = "535 who are you"
            case "lost":
                self.server.drop = "taken"


class TestSmtpIsAMessenger(MessengerContract):
    @pytest.fixture
    def peer(self) -> Iterator[Peer]:
        with relay() as server:
            yield MailPeer(server, messenger(server), LETTER, lambda: len(server.raw))


# what is sent


def test_a_mail_is_read_back_as_it_was_meant() -> None:
    with relay() as server:
        name = messenger(server, reply_to="ventas@example.cl").send(LETTER)
    (mail,) = server.mails
    assert server.envelopes == [(FROM, ["eva@example.com"])]
    assert (mail["From"], mail["To"]) == (f"Casas PlanOK <{FROM}>", "Eva Díaz <eva@example.com>")
    assert (mail["Reply-To"], mail["Subject"]) == ("ventas@example.cl", LETTER.subject)
    assert (mail["Message-ID"], mail["Auto-Submitted"]) == (name, "auto-generated")
    assert mail["DKIM-Signature"] is None and mail["Bcc"] is None
    assert parsedate_to_datetime(mail["Date"]) == HandClock().now().replace(microsecond=0)
    assert mail.get_content_type() == "multipart/alternative"
    text, html, calendar = mail.iter_parts()
    assert [one.get_content_type() for one in (text, html, calendar)] == ["text/plain", "text/html", "text/calendar"]
    assert text.get_content().replace("\r", "") == LETTER.text and html.get_content().strip() == LETTER.html
    assert calendar["Content-Type"].params["method"] == "REQUEST"
    assert str(Calendar.from_ical(calendar.get_content()).walk("VEVENT")[0]["SUMMARY"]) == "Visita ñ"


def test_lines_end_as_the_protocol_says_and_nothing_can_end_the_mail_early() -> None:
    sly = replace(LETTER, text="a\n.\r\nMAIL FROM:<x@example.com>\r.\rb\n..\n", html="<p>\r.\r</p>")
    with relay() as server:
        messenger(server).send(sly)
    assert len(server.raw) == 1
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", server.raw[0])
    assert max(map(len, server.raw[0].split(b"\r\n"))) <= 998


def test_the_same_letter_has_the_same_message_id_and_another_letter_another() -> None:
    with relay() as server:
        one = messenger(server)
        first, again, other = one.send(LETTER), one.send(LETTER), one.send(replace(LETTER, key="another"))
    assert first == again != other
    assert "booking" not in first and first.endswith("@example.cl>")


def test_a_letter_without_calendar_has_no_calendar_part() -> None:
    with relay() as server:
        messenger(server).send(replace(LETTER, calendar="", calendar_method=""))
    assert [one.get_content_type() for one in server.mails[0].iter_parts()] == ["text/plain", "text/html"]


# what answers mean


@pytest.mark.parametrize(
    ("step", "answer", "meaning"),
    [
        ("MAIL", "421 closing", Transient),
        ("MAIL", "553 not your address", AuthFailed),
        ("MAIL", "530 login first", AuthFailed),
        ("RCPT", "450 greylisted", Transient),
        ("RCPT", "550 unknown", Permanent),
        ("DATA", "452 full", Transient),
        ("DATA", "554 spam", Permanent),
        ("DATA", "600 what", Transient),
    ],
)
def test_each_answer_has_one_meaning(step: str, answer: str, meaning: type[ConnectorError]) -> None:
    with relay() as server:
        server.answers[step] = answer
        with pytest.raises(ConnectorError) as raised:
            messenger(server).send(LETTER)
    assert type(raised.value) is meaning
    assert "eva@" not in str(raised.value)


def test_nobody_there_means_nothing_was_sent() -> None:
    with relay() as server:
        port = server.port
    with pytest.raises(Transient, match="nothing listens"):
        SmtpMessenger(settings(port), env()).send(LETTER)


def test_after_a_lost_answer_the_same_mail_goes_again() -> None:
    with relay() as server:
        one = messenger(server)
        server.drop = "taken"
        with pytest.raises(Ambiguous):
            one.send(LETTER)
        server.drop = ""
        one.send(LETTER)
    assert len({mail["Message-ID"] for mail in server.mails}) == 1 and len(server.mails) == 2


# TLS and login


def test_under_starttls_the_login_is_sent_and_checked(tmp_path: Path) -> None:
    context, authority = server_context(tmp_path, "127.0.0.1")
    right = {"security": "starttls", "username": LOGIN[0], "password": LOGIN[1]}
    with relay(context, wants_login=True) as server:
        messenger(server, authority, **right).send(LETTER)
        with pytest.raises(AuthFailed):
            messenger(server, authority, **(right | {"password": "otra"})).send(LETTER)
    assert len(server.raw) == 1


def test_a_certificate_that_nobody_vouches_for_stops_everything(tmp_path: Path) -> None:
    context, _ = server_context(tmp_path, "127.0.0.1")
    other = tmp_path / "other"
    other.mkdir()
    _, stranger = server_context(other, "127.0.0.1")
    with relay(context) as server, pytest.raises(Transient, match="not trusted"):
        messenger(server, stranger, security="starttls").send(LETTER)
    assert server.raw == []


def test_a_relay_without_starttls_is_sent_nothing() -> None:
    with relay() as server, pytest.raises(Transient, match="no STARTTLS"):
        messenger(server, security="starttls").send(LETTER)
    assert server.raw == []


def test_a_check_connects_and_sends_nothing() -> None:
    with relay() as server:
        (line,) = SPEC.check(ACCOUNT, settings(server.port), env(), [])
    assert line.state == "ok" and server.raw == []
    (line,) = SPEC.check(ACCOUNT, settings(server.port), env(), [])
    assert line.state == "fail" and line.remedy


# settings


@pytest.mark.parametrize(
    "changes",
    [
        {"from": "no address"},
        {"from": "a@b\r\nBcc: c@d"},
        {"username": "only"},
        {"host": "mail.example.cl", "username": "a", "password": "b", "security": "none"},
        {"host": "mail example"},
        {"security": "ssl"},
    ],
)
def test_settings_that_cannot_be_meant_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(**changes)


def test_settings_do_not_show_their_secrets() -> None:
    assert "geheim" not in repr(settings(username="a", password="geheim"))


# strangers' words


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_name_stays_a_name_h65_h67_h68(name: str) -> None:
    with relay() as server:
        messenger(server).send(replace(LETTER, to_name=name, subject=name))
    (mail,) = server.mails
    assert server.envelopes == [(FROM, ["eva@example.com"])]
    assert [one.addr_spec for one in mail["To"].addresses] == ["eva@example.com"]
    assert mail["Bcc"] is None and "\u202e" not in str(mail["To"]) + str(mail["Subject"])
    assert not re.search(r"[\x00-\x1f]", str(mail["To"]) + str(mail["Subject"]))


@pytest.mark.parametrize(
    "address",
    ["eva@example.com\r\nBcc: all@example.com", "eva@example.com, all@example.com", "<eva@example.com>", "eva",
     "eva@example.com>\r\nRCPT TO:<all@example.com", '"eva x"@example.com', "eva@[127.0.0.1]", "@example.com",
     "eva@-x.com", "eva @example.com", "e\u202eva@example.com", "a" * 65 + "@example.com", ""],
)  # fmt: skip
def test_an_address_that_is_none_gets_no_mail_h71(address: str) -> None:
    with relay() as server, pytest.raises(Permanent):
        messenger(server).send(replace(LETTER, to=address))
    assert server.raw == [] and server.envelopes == []


def test_a_domain_with_letters_of_its_own_is_written_in_ascii() -> None:
    assert read_address("eva@ñandú.cl") == "eva@xn--and-6ma2c.cl"


@given(name=st.text(max_size=300), subject=st.text(max_size=300), text=st.text(max_size=300))
def test_no_words_break_a_mail(name: str, subject: str, text: str) -> None:
    letter = replace(LETTER, to_name=name, subject=subject, text=text, calendar="", html="")
    mail = mail_of(letter, sender=FROM, sender_name="", reply_to=None, at=AT)
    head = mail.as_bytes().partition(b"\r\n\r\n")[0]
    names = [line.partition(b":")[0] for line in head.split(b"\r\n") if not line.startswith((b" ", b"\t"))]
    assert len(names) == len(set(names)) and b"Bcc" not in names


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("eva@example.com", "eva@example.com"),
        ("", "ventas@example.cl"),
        ("eva@example.com\r\nBcc: all@example.com", "ventas@example.cl"),
        ('"eva x"@example.com', "ventas@example.cl"),
        ("eva@example.com, all@example.com", "ventas@example.cl"),
    ],
)
def test_an_answer_goes_to_whom_the_letter_names_if_that_is_one_address(typed: str, shown: str) -> None:
    letter = replace(LETTER, reply_to=typed)
    mail = mail_of(letter, sender=FROM, sender_name="", reply_to="ventas@example.cl", at=AT)
    assert mail["Reply-To"] == shown and mail["Bcc"] is None
