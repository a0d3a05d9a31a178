"""Short messages: what is sent, what refusals mean, and which callbacks are believed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors._twilio_hook import HEADER, hook, reports, signature
from connectors.twilio import SPEC, TwilioMessenger, TwilioSettings, shortened
from syncd.core.ids import AccountId
from syncd.core.letter import Channel, Letter, Sent
from syncd.errors import Ambiguous, AuthFailed, BadSignature, ConnectorError, Permanent, Transient
from syncd.ports import Call, Delivery, Environment, Messenger, Wish
from tests.contracts.messenger import MessengerContract, Peer
from tests.servers.calendly import NOW, HandClock
from tests.servers.twilio import NUMBER, SID, TOKEN, Twilio, callback, signed, twilio, wire

ACCOUNT, PUBLIC = AccountId("sms"), "https://visitas.example.cl:8443"
URL = f"{PUBLIC}/hook/sms"
LETTER = Letter(key="k", channel=Channel.SMS, kind="reminder", to="+56912345678", text="Hola, Eva")


def settings(url: str = "http://127.0.0.1:1", **changes: Any) -> TwilioSettings:
    return TwilioSettings.model_validate(
        {"account_sid": SID, "auth_token": TOKEN, "from": NUMBER, "api_url": url} | changes
    )


def env() -> Environment:
    return Environment(clock=HandClock(), secret=lambda purpose: b"", public_url=PUBLIC)


def messenger(server: Twilio, **changes: Any) -> TwilioMessenger:
    assert server.desk is not None
    return TwilioMessenger(ACCOUNT, settings(server.desk.url, **changes), env())


@dataclass
class TwilioPeer(Peer):
    server: Twilio
    messenger: Messenger
    letter: Letter
    taken: Callable[[], int]

    def fail(self, how: str) -> None:
        assert self.server.desk is not None
        self.server.refuse = {"busy": (429, 20429), "refused": (400, 21211), "login": (401, 20003)}.get(how)
        self.server.desk.lose = how == "lost"


class TestTwilioIsAMessenger(MessengerContract):
    @pytest.fixture
    def peer(self) -> Iterator[Peer]:
        with twilio() as server:
            yield TwilioPeer(server, messenger(server), LETTER, lambda: len(server.taken))


def test_a_message_names_where_its_fate_is_told() -> None:
    with twilio() as server:
        assert messenger(server).send(LETTER) == f"SM{1:032d}"
    assert server.taken == [{"To": LETTER.to, "From": NUMBER, "Body": "Hola, Eva", "StatusCallback": URL}]


@pytest.mark.parametrize(
    ("refusal", "meaning"),
    [
        ((429, 20429), Transient),
        ((500, 20500), Ambiguous),
        ((400, 21606), AuthFailed),
        ((400, 21610), Permanent),
        ((400, 21211), Permanent),
    ],
)
def test_each_code_has_one_meaning(refusal: tuple[int, int], meaning: type[ConnectorError]) -> None:
    with twilio() as server:
        server.refuse = refusal
        with pytest.raises(ConnectorError) as raised:
            messenger(server).send(LETTER)
    assert type(raised.value) is meaning and TOKEN not in str(raised.value)


@pytest.mark.parametrize("number", ["912345678", "+56 9", "*21*123#", "+0123456789", "+56912345678;ext=1", ""])
def test_what_is_no_number_gets_no_message_h74(number: str) -> None:
    with twilio() as server, pytest.raises(Permanent):
        messenger(server).send(replace(LETTER, to=number))
    assert server.desk is not None and server.desk.calls == []


def test_a_text_is_cleaned_and_cut_and_its_link_stays_whole() -> None:
    link = "https://visitas.example.cl/v/abc"
    assert shortened("Hola\r\n\x00\u202eEva") == "Hola Eva"
    assert shortened("a" * 1530) == "a" * 1530
    cut = shortened("á" * 3000 + f" {link}")
    assert len(cut) <= 670 and cut.endswith(f"… {link}")


@given(st.text(max_size=3000))
def test_no_text_takes_more_than_ten_segments(text: str) -> None:
    found = shortened(text)
    assert len(found) <= 1530
    if not found.isascii():
        assert len(found) <= 1530 and "\n" not in found


def test_a_check_reads_the_account() -> None:
    with twilio() as server:
        assert server.desk is not None
        (line,) = SPEC.check(ACCOUNT, settings(server.desk.url), env(), [])
        assert line.state == "ok"
        (line,) = SPEC.check(ACCOUNT, settings(server.desk.url, auth_token="wrong"), env(), [])
        assert line.state == "fail" and line.remedy


@pytest.mark.parametrize("changes", [{"account_sid": "AC1"}, {"auth_token": ""}, {"from": "912345678"}])
def test_settings_that_cannot_be_meant_are_refused(changes: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        settings(**changes)


def test_settings_do_not_show_their_secrets() -> None:
    assert TOKEN not in repr(settings())


# the hook


def call(form: dict[str, str], *signatures: str, url: str = URL, query: str = "") -> Delivery:
    headers = [(HEADER, one) for one in signatures]
    return hook(ACCOUNT, settings(), Call(headers=headers, body=wire(form), now=NOW, url=url, query=query))


def test_the_signature_is_that_of_the_published_example() -> None:
    fields = {"CallSid": "CA1234567890ABCDE", "Caller": "+14158675309", "Digits": "1234", "From": "+14158675309"}
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    assert signature("12345", url, [*fields.items(), ("To", "+18005551212")]) == b"RSOYDt4T1cUTdK1PDd93/VVr8B8="


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ("sent", Sent.SENT),
        ("delivered", Sent.DELIVERED),
        ("read", Sent.READ),
        ("undelivered", Sent.FAILED),
        ("failed", Sent.FAILED),
    ],
)
def test_a_signed_state_is_kept_and_read(told: str, state: Sent) -> None:
    form = callback("SM1", told, ErrorCode="30003")
    found = call(form, signed(URL, form))
    assert [(one.kind, one.key) for one in found.touches] == [("receipt", f"{ACCOUNT}|{found.key}")]
    (report,) = reports(ACCOUNT, settings(), Call(headers=(), body=wire(form), now=NOW))
    assert (report.remote_id, report.state, report.error, report.at) == ("SM1", state, "30003", NOW)


def test_states_before_sending_and_other_accounts_are_not_kept() -> None:
    for form in (callback("SM1", "queued"), callback("SM1", "sending"), callback("SM1", "sent") | {"AccountSid": "AC"}):
        found = call(form, signed(URL, form))
        assert found.ignored and not found.key


def test_only_the_public_address_counts_h38() -> None:
    form = callback("SM1", "delivered")
    for url in (URL.replace("https", "http"), URL.replace(":8443", ""), URL + "/", URL + "?a=1"):
        with pytest.raises(BadSignature):
            call(form, signed(url, form))
    assert call(form, signed(URL + "?a=1", form), query="a=1").touches


def test_what_is_not_signed_is_refused() -> None:
    form = callback("SM1", "delivered")
    for wrong in ([], [signed(URL, form, "other")], [signed(URL, form)] * 2, ["ñ"], [signed(URL, form | {"a": "b"})]):
        with pytest.raises(BadSignature):
            call(form, *wrong)
    with pytest.raises(BadSignature):
        hook(ACCOUNT, settings(), Call(headers=[(HEADER, "x")], body=b"\xff=\xff", now=NOW, url=URL))


def received(text: str, **more: str) -> dict[str, str]:
    form = {"AccountSid": SID, "MessageSid": "SM9", "SmsStatus": "received", "From": "+56912345678", "To": NUMBER}
    return form | {"Body": text} | more


@pytest.mark.parametrize("text", ["STOP", "stop.", " Baja ", "ALTO!", "Stopp"])
def test_a_word_that_asks_for_no_more_messages_is_kept_with_its_number(text: str) -> None:
    found = call(received(text), signed(URL, received(text)))
    assert found.wishes == (Wish(number="+56912345678", channel=Channel.SMS),)
    assert found.key and not found.touches


def test_a_word_takes_it_back() -> None:
    (wish,) = call(received("alta"), signed(URL, received("alta"))).wishes
    assert not wish.wants_none


@pytest.mark.parametrize(
    "form",
    [
        received("please stop by at noon"),
        received(""),
        received("STOP", From="whatsapp:+56912345678"),
        received("STOP", AccountSid="AC"),
        received("STOP", SmsStatus="sent"),
    ],
)
def test_what_else_is_received_is_not_kept(form: dict[str, str]) -> None:
    found = call(form, signed(URL, form))
    assert found.ignored and not found.wishes


def test_nobody_stops_messages_without_the_signature() -> None:
    with pytest.raises(BadSignature):
        call(received("STOP"), signed(URL, received("STOP"), "other"))
