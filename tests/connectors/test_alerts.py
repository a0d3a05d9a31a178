"""Alerts through apprise: what arrives at a service, and what a refusal means."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from connectors._alerts import AlertMessenger
from syncd.core.letter import Channel, Letter
from syncd.errors import Permanent, Transient
from tests.servers.http_desk import Desk, desk

LETTER = Letter(key="k", channel=Channel.OPERATOR, kind="sign_in", to="alerts:1", subject="syncd: x", text="agenda")


@contextmanager
def service(status: int = 200) -> Iterator[tuple[Desk, AlertMessenger]]:
    with desk(lambda *_call: (status, b"{}")) as found:
        yield found, AlertMessenger(f"json://127.0.0.1:{found.port}/", "alerts:1")


def test_an_alert_arrives_with_its_title_and_words() -> None:
    with service() as (found, messenger):
        messenger.send(LETTER)
        messenger.send(LETTER)
        assert [call[0] for call in found.calls] == ["POST", "POST"]
        told = json.loads(found.calls[0][3])
        assert (told["title"], told["message"]) == ("syncd: x", "agenda")


def test_what_a_service_does_not_take_is_tried_again_and_names_no_address(caplog: pytest.LogCaptureFixture) -> None:
    with service(500) as (found, messenger), pytest.raises(Transient) as error:
        messenger.send(LETTER)
    assert str(error.value) == "alerts:1: the service did not take the alert"
    assert len(found.calls) == 1
    assert not caplog.records


def test_a_service_that_is_gone_is_tried_again() -> None:
    with service() as (_found, messenger):
        pass
    with pytest.raises(Transient):
        messenger.send(LETTER)


def test_what_is_no_url_is_refused_for_good() -> None:
    with pytest.raises(Permanent):
        AlertMessenger("nobody://x", "alerts:1").send(LETTER)


def test_apprise_is_not_imported_before_an_alert_leaves() -> None:
    code = "import sys, connectors._alerts as a; a.AlertMessenger('json://x', 'n'); assert 'apprise' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
