"""WhatsApp: what is sent, what refusals mean, and which calls are believed."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors._whatsapp_hook import HEADER, handshake, hook, reports
from connectors.whatsapp import SPEC, WhatsappMessenger, WhatsappSettings
from syncd.core.ids import AccountId
from syncd.core.letter import Channel, Letter, Sent
from syncd.errors import Ambiguous, AuthFailed, BadSignature, ConnectorError, Permanent, Transient
from syncd.ports import Call, Delivery, Environment, Messenger
from tests.contracts.messenger import MessengerContract, Peer
from tests.servers.calendly import NOW, HandClock
from tests.servers.whatsapp import APP_SECRET, NUMBER, TOKEN, VERIFY, Whatsapp, signed, status, whatsapp

ACCOUNT = AccountId("wa")
TEMPLATES = {
    "reminder": {"name": "aviso_visita"},
    "update": {"name": "con_boton", "variables": [], "button": "visit_link"},
}
VALUES = {"client_name": "Eva", "project": "Casas", "event_date": "martes", "event_time": "10:00"}
LETTER = Letter(
    key="k",
    channel=Channel.WHATSAPP,
    kind="reminder",
    to="+56912345678",
    text="Hola",
    variables=VALUES | {"visit_link": "https://visitas.example.cl/v/abc"},
)


def settings(url: str = "http://127.0.0.1:1", **changes: Any) -> WhatsappSettings:
    plain = {"phone_number_id": NUMBER, "token": TOKEN, "app_secret": APP_SECRET, "verify_token": VERIFY}
    return WhatsappSettings.model_validate({**plain, "templates": TEMPLATES, "api_url": url, **changes})


def messenger(server: Whatsapp, **changes: Any) -> WhatsappMessenger:
    assert server.desk is not None
    env = Environment(clock=HandClock(), secret=lambda purpose: b"")
    return WhatsappMessenger(ACCOUNT, settings(server.desk.url, **changes), env)


@dataclass
class WhatsappPeer(Peer):
    server: Whatsapp
    messenger: Messenger
    letter: Letter
    taken: Callable[[], int]

    def fail(self, how: str) -> None:
        assert self.server.desk is not None
        self.server.refuse = {"busy": (429, 130429), "refused": (400, 131026), "login": (401, 190)}.get(how)
        self.server.desk.lose = how == "lost"


class TestWhatsappIsAMessenger(MessengerContract):
    @pytest.fixture
    def peer(self) -> Iterator[Peer]:
        with whatsapp() as server:
            yield WhatsappPeer(server, messenger(server), LETTER, lambda: len(server.taken))


# what is sent


def texts(server: Whatsapp) -> list[str]:
    (sent,) = server.taken
    return [one["text"] for part in sent["template"]["components"] for one in part["parameters"]]


def test_a_template_is_filled_in_its_order() -> None:
    with whatsapp() as server:
        assert messenger(server).send(LETTER) == "wamid.1"
    assert texts(server) == ["Eva", "Casas", "martes", "10:00"]
    assert server.taken[0]["to"] == "56912345678"


def test_a_button_takes_the_last_part_of_a_link() -> None:
    with whatsapp() as server:
        messenger(server).send(replace(LETTER, kind="update"))
    assert texts(server) == ["abc"]


@pytest.mark.parametrize(
    "name", ["Eva\nDíaz", "a" * 5000, "", "Eva\t\t      Díaz", "Eva https://evil.example/x", "\u202eEva", "www.evil.cl"]
)
def test_a_variable_is_one_clean_line_without_addresses(name: str) -> None:
    with whatsapp() as server:
        messenger(server).send(replace(LETTER, variables={**VALUES, "client_name": name}))
    first = texts(server)[0]
    assert first and "evil" not in first and "\u202e" not in first and len(first) <= 200


@pytest.mark.parametrize("number", ["912345678", "+56 9", "*21*123#", "+0123456789", "+569123456789012345", ""])
def test_what_is_no_number_gets_no_message_h74(number: str) -> None:
    with whatsapp() as server, pytest.raises(Permanent):
        messenger(server).send(replace(LETTER, to=number))
    assert server.desk is not None and server.desk.calls == []


def test_a_kind_without_a_template_goes_another_way() -> None:
    with whatsapp() as server, pytest.raises(Permanent, match="no template"):
        messenger(server).send(replace(LETTER, kind="cancellation"))


@pytest.mark.parametrize(
    ("refusal", "meaning"),
    [
        ((400, 131056), Transient),
        ((429, 80007), Transient),
        ((500, 131016), Transient),
        ((500, 131000), Ambiguous),
        ((503, 999), Ambiguous),
        ((401, 190), AuthFailed),
        ((403, 200), AuthFailed),
        ((400, 131026), Permanent),
        ((404, 132001), Permanent),
    ],
)
def test_each_code_has_one_meaning(refusal: tuple[int, int], meaning: type[ConnectorError]) -> None:
    with whatsapp() as server:
        server.refuse = refusal
        with pytest.raises(ConnectorError) as raised:
            messenger(server).send(LETTER)
    assert type(raised.value) is meaning and TOKEN not in str(raised.value)


def test_a_check_reads_the_number_and_names_the_templates() -> None:
    with whatsapp() as server:
        assert server.desk is not None
        env = Environment(clock=HandClock(), secret=lambda purpose: b"")
        lines = SPEC.check(ACCOUNT, settings(server.desk.url), env, [])
        assert [one.state for one in lines] == ["ok", "ok"] and server.taken == []
        lines = SPEC.check(ACCOUNT, settings(server.desk.url, token="wrong"), env, [])
        assert [one.state for one in lines] == ["fail"]


def test_settings_do_not_show_their_secrets() -> None:
    assert not [one for one in (TOKEN, APP_SECRET, VERIFY) if one in repr(settings())]


def test_an_empty_secret_is_refused() -> None:
    with pytest.raises(ValidationError):
        settings(app_secret=" ")


# the hook


def call(body: bytes, *signatures: str) -> Delivery:
    return hook(ACCOUNT, settings(), Call(headers=[(HEADER, one) for one in signatures], body=body, now=NOW))


def test_a_signed_status_is_kept_and_read() -> None:
    body = status("wamid.1", "delivered")
    found = call(body, signed(body))
    assert [(one.kind, one.key) for one in found.touches] == [("receipt", f"{ACCOUNT}|{found.key}")]
    (report,) = reports(ACCOUNT, settings(), Call(headers=(), body=body, now=NOW))
    assert (report.remote_id, report.state) == ("wamid.1", Sent.DELIVERED)
    assert report.at == datetime.fromtimestamp(1_700_000_000, UTC)


def test_a_failure_names_its_code_and_a_time_to_come_is_ours() -> None:
    body = status("wamid.1", "failed", at=99_999_999_999, errors=[{"code": 131026, "title": "x"}])
    (report,) = reports(ACCOUNT, settings(), Call(headers=(), body=body, now=NOW))
    assert (report.state, report.error, report.at) == (Sent.FAILED, "131026", NOW)


def test_what_is_not_signed_is_refused() -> None:
    body = status("wamid.1", "read")
    for wrong in (
        [],
        [signed(body, "other")],
        [signed(body)] * 2,
        [signed(body)[7:]],
        ["sha256=ñ"],
        ["sha1=" + "0" * 40],
    ):
        with pytest.raises(BadSignature):
            call(body, *wrong)
    with pytest.raises(BadSignature):
        call(body + b" ", signed(body))


def test_another_number_of_the_app_and_what_clients_write_are_not_kept() -> None:
    other = status("wamid.1", "read", number="999")
    value = {"metadata": {"phone_number_id": NUMBER}, "messages": [{"from": "569", "text": {"body": "secreto"}}]}
    written = json.dumps(
        {"object": "whatsapp_business_account", "entry": [{"changes": [{"field": "messages", "value": value}]}]}
    ).encode()
    for body in (other, written):
        found = call(body, signed(body))
        assert found.ignored and not found.touches and not found.key


def test_a_signed_body_that_means_nothing_is_a_dead_letter() -> None:
    for body in (b"{", b"[]", b'{"object": "page"}', b""):
        assert call(body, signed(body)).unreadable


NAMES = st.sampled_from(["entry", "changes", "value", "metadata", "phone_number_id", "statuses", "id", "status"])
LEAVES = st.none() | st.integers() | st.text(max_size=5)


@given(st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner)))
def test_no_signed_body_breaks_the_reader(value: object) -> None:
    body = json.dumps({"object": "whatsapp_business_account", "entry": value}).encode()
    assert call(body, signed(body)).touches == ()


def greet(**changes: str) -> str:
    asked = {"hub.mode": "subscribe", "hub.verify_token": VERIFY, "hub.challenge": "1158201444"} | changes
    return handshake(ACCOUNT, settings(), Call(headers=(), body=b"", now=NOW, query=urlencode(asked)))


def test_the_question_of_the_app_is_answered_with_its_digits() -> None:
    assert greet() == "1158201444"


@pytest.mark.parametrize(
    "changes",
    [
        {"hub.verify_token": "ñ"},
        {"hub.verify_token": ""},
        {"hub.mode": "unsubscribe"},
        {"hub.challenge": "<script>"},
        {"hub.challenge": "1" * 65},
        {"hub.challenge": "١٢٣"},
    ],
)
def test_any_other_question_is_refused(changes: dict[str, str]) -> None:
    with pytest.raises(BadSignature):
        greet(**changes)
