"""docs/providers/webhook.md names every key of the mapping with its default, every field and every preset; its examples
are right; and check-config replays a sample."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from connectors._webhook_parts import FIELDS
from connectors._webhook_presets import names
from connectors._webhook_scheduler import WebhookScheduler, api_of
from connectors.webhook import SPEC, WebhookSettings
from syncd.errors import NotFound, Permanent, Unreadable
from syncd.practice_calendly.control import Fault
from tests.connectors.webhook_stage import ACCOUNT, acuity_table, environment, running, scheduler_of, settings_of
from tests.servers.webhook_acuity import Acuity
from tests.servers.webhook_door import Office
from tests.test_docs_config import as_shown, in_code, shown

PAGE = (Path(__file__).parents[2] / "docs" / "providers" / "webhook.md").read_text(encoding="utf-8")


def test_the_reference_names_every_key_with_its_default_and_no_other() -> None:
    section = PAGE.split("\n## Every key\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([^`]+)` \| (.*?) \| .+ \|$", section, re.MULTILINE)
    written = {key: as_shown(default.strip("`")) for key, default in rows}
    assert written == {key: shown(field) for key, field in in_code(WebhookSettings)}


def test_every_field_and_every_preset_is_named() -> None:
    prose = re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)
    assert {*FIELDS, *names()} <= set(re.findall(r"`([^`\n]+)`", prose))
    assert names() == ("acuity", "calcom", "calendly", "easyappointments", "savvycal", "zoom")


def cleared(value: Any) -> Any:
    """Put a text in the place of every secret."""
    if isinstance(value, dict):
        return "secret" if "credential" in value else {key: cleared(one) for key, one in value.items()}
    return [cleared(one) for one in value] if isinstance(value, list) else value


def test_the_examples_can_be_used_as_they_are() -> None:
    examples = [tomllib.loads(one) for one in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)]
    assert len(examples) == 3
    for example in examples:
        (table,) = example["accounts"].values()
        assert settings_of(cleared({key: value for key, value in table.items() if key != "kind"})).fetch


def test_check_replays_a_sample_and_prints_the_booking(tmp_path: Path) -> None:
    sample = tmp_path / "call.json"
    sample.write_text('{"event": "made", "b": {"id": "B1", "s": "2026-11-30T13:00:00Z", "l": "30", "h": 2}}')
    table = {
        "auth": {"mode": "token", "header": "X-T", "secrets": ["t"]},
        "event": {"path": "event", "map": {"made": "created"}},
        "booking": {"id": "b.id", "start": "b.s", "duration": "b.l", "host": {"path": "b.h", "link": "hosts"}},
        "links": {"hosts": {"2": "ana"}},
        "sample": str(sample),
    }
    lines = {one.what: one for one in SPEC.check(ACCOUNT, settings_of(table), environment(Office()), ["7"])}
    assert "booking B1" in lines["sample"].text and "agent ana" in lines["sample"].text
    assert (lines["fetch"].state, lines["poll"].state, lines["page of 7"].state) == ("warn", "warn", "warn")
    sample.write_text("{}")
    (broken,) = [
        one for one in SPEC.check(ACCOUNT, settings_of(table), environment(Office()), []) if one.what == "sample"
    ]
    assert broken.state == "fail" and "id" in broken.text


def test_redirects_are_not_followed_and_html_is_no_answer() -> None:
    with running(Acuity()) as office:
        for kind in ("moved", "html"):
            office.faults.append(Fault(kind, "GET"))
            with pytest.raises(Unreadable):
                scheduler_of(office, acuity_table(office.url)).booking("1")


@pytest.mark.parametrize("strange", ["..", ".", "", "a\nb", "x" * 500])
def test_an_id_that_would_lead_elsewhere_is_never_asked_for(strange: str) -> None:
    with running(Acuity()) as office:
        with pytest.raises(NotFound):
            scheduler_of(office, acuity_table(office.url)).booking(strange)
        assert not office.requests


def test_without_fetch_and_cancel_the_scheduler_says_what_cannot_be_done() -> None:
    settings = settings_of({"preset": "calendly", "auth": {"secrets": ["key"]}})
    scheduler = WebhookScheduler(api_of(ACCOUNT, settings, environment(Office())))
    for act in (lambda: scheduler.booking("x"), lambda: scheduler.cancel("x", "why"), lambda: scheduler.link("x", "R")):
        with pytest.raises(Permanent):
            act()
