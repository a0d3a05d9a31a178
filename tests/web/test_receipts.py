"""What a service says of a message: the question before, the signed call, what is kept, and what is read from there."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors._twilio_hook import HEADER as TWILIO_HEADER
from connectors._twilio_hook import hook as twilio_hook
from connectors._whatsapp_hook import HEADER, handshake, hook, reports
from syncd.core.letter import Sent
from syncd.flows.context import AccountParts, Context
from syncd.flows.receipts import receive
from syncd.ports import Call, Delivery
from syncd.runner import HANDLERS, drain
from syncd.store.queue import DeliveryState, Notice, WorkKind
from syncd.web.app import create_app
from syncd.web.counts import Counts
from syncd.web.hooks import Hooks
from syncd.web.serve import Server
from tests.connectors import test_twilio as twilio
from tests.connectors.test_whatsapp import ACCOUNT, settings
from tests.servers import twilio as server
from tests.servers.whatsapp import VERIFY, signed, status
from tests.web.stage import CALENDLY, LINK_KEY, TOKENS, Stage, staged
from tests.web.stage import hooks as calendly


@pytest.fixture
def ctx(stage: Stage) -> Context:
    ours = settings()
    parts = AccountParts(
        id=ACCOUNT,
        kind="whatsapp",
        hook=partial(hook, ACCOUNT, ours),
        handshake=partial(handshake, ACCOUNT, ours),
        reports=partial(reports, ACCOUNT, ours),
    )
    return replace(stage.ctx, accounts={**calendly(CALENDLY), ACCOUNT: parts})


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with staged(tmp_path) as found:
        yield found


@pytest.fixture
def url(ctx: Context) -> Iterator[str]:
    app = create_app(lambda: ctx, tokens=lambda: TOKENS, link_key=lambda: LINK_KEY)
    server = Server(app, "127.0.0.1:0")
    server.start()
    host, port = server.address
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def sent(ctx: Context, remote_id: str) -> str:
    """Keep a message that went over the account, and return its key."""
    notice = Notice(
        key=f"message:{remote_id}",
        channel="message",
        kind="reminder",
        due_at=ctx.clock.now(),
        created_at=ctx.clock.now(),
    )

    def keep(tx: Any) -> None:
        tx.queue.say(notice)
        tx.outbox.sent(replace(notice, via="whatsapp", account=ACCOUNT), remote_id, ctx.clock.now())

    ctx.store.write(keep)
    return notice.key


def state_of(ctx: Context, key: str) -> str:
    with ctx.store.read() as tx:
        found = tx.outbox.find(key)
    assert found is not None
    return found.state


def told(url: str, body: bytes, signature: str) -> int:
    return requests.post(f"{url}/hook/{ACCOUNT}", data=body, headers={HEADER: signature}, timeout=20).status_code


def test_a_signed_status_reaches_the_message_and_older_news_does_not_take_it_back(ctx: Context, url: str) -> None:
    key = sent(ctx, "wamid.7")
    for state in ("read", "delivered"):
        body = status("wamid.7", state)
        assert told(url, body, signed(body)) == 204
    drain(ctx)
    assert state_of(ctx, key) == Sent.READ
    with ctx.store.read() as tx:
        kept = tx.queue.inbox_list()
    assert {one.state for one in kept if one.account == ACCOUNT} == {DeliveryState.DONE}


def test_a_forged_status_changes_nothing(ctx: Context, url: str) -> None:
    key = sent(ctx, "wamid.8")
    body = status("wamid.8", "failed")
    assert told(url, body, signed(body, "another secret")) == 401
    drain(ctx)
    assert state_of(ctx, key) == "sent"


def test_a_call_of_an_account_that_left_the_configuration_is_settled(ctx: Context, url: str) -> None:
    body = status("wamid.9", "read")
    assert told(url, body, signed(body)) == 204
    gone = replace(ctx, accounts={})
    with ctx.store.read() as tx:
        (kept,) = tx.queue.inbox_list()
    receive(gone, kept.touches[0][1], ctx.clock.now())
    with ctx.store.read() as tx:
        assert [one.state for one in tx.queue.inbox_list()] == [DeliveryState.DONE]


def test_receipts_have_a_handler() -> None:
    assert HANDLERS[WorkKind.RECEIPT] is receive


def ask(url: str, account: str = ACCOUNT, **changes: str) -> requests.Response:
    asked = {"hub.mode": "subscribe", "hub.verify_token": VERIFY, "hub.challenge": "42"} | changes
    return requests.get(f"{url}/hook/{account}", params=asked, timeout=20)


def test_the_question_of_the_app_is_answered_as_text(url: str) -> None:
    answer = ask(url)
    assert (answer.status_code, answer.text) == (200, "42")
    assert answer.headers["Content-Type"].startswith("text/plain")


def test_no_other_question_is_answered(url: str) -> None:
    assert ask(url, **{"hub.verify_token": "guess"}).status_code == 401
    assert ask(url, **{"hub.challenge": "<script>alert(1)</script>"}).status_code == 401
    assert ask(url, CALENDLY).status_code == 405
    assert ask(url, "nobody").status_code == 404


def test_a_short_message_that_asks_for_no_more_is_noted_with_its_call(stage: Stage) -> None:
    account, number = twilio.ACCOUNT, "+56912345678"

    def hooked(call: Call) -> Delivery:
        return twilio_hook(account, twilio.settings(), replace(call, url=twilio.URL))

    ours = AccountParts(id=account, kind="twilio", hook=hooked)
    ctx = replace(stage.ctx, accounts={account: ours})
    for word, is_out in (("BAJA", True), ("BAJA", True), ("ALTA", False)):
        form = twilio.received(word)
        head = [(TWILIO_HEADER, server.signed(twilio.URL, form))]
        answer = Hooks(lambda: ctx, Counts()).judge(ctx, account, head, server.wire(form))
        assert answer.status_code == 204
        with ctx.store.read() as tx:
            assert tx.outbox.is_opted_out(number, "sms") is is_out
            assert not tx.outbox.is_opted_out(number, "whatsapp")
