"""What the operator reads: every line whole, known, bounded in number, and free of what is personal."""

import ast
import io
import json
import logging
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.log import ACTIONS, BURST, WINDOW, Limit, bound, escape, log, redact, setup

ROOT = Path(__file__).parent.parent


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def quiet_again() -> Iterator[None]:
    """Leave the logging of the process as it was."""
    root = logging.getLogger()
    handlers, level, ours = list(root.handlers), root.level, log.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    log.setLevel(ours)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def one_line(stream: io.StringIO) -> dict[str, Any]:
    found = lines(stream)
    assert len(found) == 1
    return found[0]


# the closed list


def actions_in_code() -> dict[str, set[str]]:
    """Return every action word that is logged, with the files that do; calls without one under ""."""
    found: dict[str, set[str]] = {}
    for package in ("syncd", "connectors"):
        for path in (ROOT / package).rglob("*.py"):
            for call in calls_of_log(ast.parse(path.read_text(encoding="utf-8"))):
                found.setdefault(action_of(call), set()).add(f"{path.relative_to(ROOT)}:{call.lineno}")
    return found


def calls_of_log(tree: ast.Module) -> Iterator[ast.Call]:
    levels = {"debug", "info", "warning", "error", "exception", "critical", "log"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in levels:
            called_on = node.func.value
            yield from [node] if isinstance(called_on, ast.Name) and called_on.id == "log" else []


def action_of(call: ast.Call) -> str:
    extra = next((one.value for one in call.keywords if one.arg == "extra"), None)
    if not isinstance(extra, ast.Dict):
        return ""
    pairs = zip(extra.keys, extra.values, strict=True)
    words = [value.value for key, value in pairs if isinstance(key, ast.Constant) and key.value == "action"
             and isinstance(value, ast.Constant)]  # fmt: skip
    return str(words[0]) if words else ""


def test_every_line_has_a_word_of_the_list_and_every_word_is_used() -> None:
    found = actions_in_code()
    assert "" not in found, f"no action word: {found['']}"
    assert set(found) == ACTIONS


def test_the_search_for_words_finds_them() -> None:
    tree = ast.parse('log.info("x", extra={"action": "started"})\nlog.info("y")\nother.info("z")')
    assert [action_of(call) for call in calls_of_log(tree)] == ["started", ""]


# the lines


def test_a_terminal_gets_plain_lines_and_anything_else_json() -> None:
    terminal, pipe = Terminal(), io.StringIO()
    setup(terminal)
    log.info("ready", extra={"action": "started", "listen": "127.0.0.1:8420"})
    setup(pipe)
    log.info("ready", extra={"action": "started", "listen": "127.0.0.1:8420"})
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT[\d:.]+Z info    ready  action=started  listen=127\.0\.0\.1:8420\n", terminal.getvalue()
    )
    line = one_line(pipe)
    assert line.pop("at").endswith("Z")
    assert line == {"level": "info", "message": "ready", "action": "started", "listen": "127.0.0.1:8420"}


def test_one_s_choice_goes_before_what_the_stream_is() -> None:
    terminal, pipe = Terminal(), io.StringIO()
    setup(terminal, json=True)
    log.info("ready")
    setup(pipe, json=False)
    log.info("ready")
    assert one_line(terminal)["message"] == "ready"
    assert not pipe.getvalue().startswith("{")


def test_setting_up_again_replaces_what_was_set_up() -> None:
    first, second = io.StringIO(), io.StringIO()
    setup(first)
    setup(second)
    log.info("ready")
    assert first.getvalue() == ""
    assert len(lines(second)) == 1


def test_debug_lines_are_not_heard_unless_asked_for() -> None:
    stream = io.StringIO()
    setup(stream)
    log.debug("detail")
    setup(stream, level=logging.DEBUG)
    log.debug("more detail")
    assert one_line(stream)["message"] == "more detail"


def test_of_libraries_only_warnings_are_heard_and_named() -> None:
    stream = io.StringIO()
    setup(stream)
    logging.getLogger("library").info("chatter")
    logging.getLogger("library.part").warning("wrote to eva@example.com")
    assert one_line(stream) | {"at": ""} == {
        "at": "",
        "level": "warning",
        "message": "wrote to [e-mail]",
        "logger": "library.part",
    }


def test_a_trace_is_one_field_of_one_json_line() -> None:
    stream = io.StringIO()
    setup(stream)
    try:
        raise ValueError("cannot read eva@example.com\nlevel=info forged")
    except ValueError as error:
        log.error("work crashed", exc_info=error, extra={"action": "work_crashed"})
    line = one_line(stream)
    assert line["trace"].startswith("Traceback")
    assert "[e-mail]" in line["trace"]
    assert "eva" not in stream.getvalue()


def test_a_trace_on_a_terminal_stands_below_its_line() -> None:
    stream = Terminal()
    setup(stream)
    try:
        raise ValueError("boom\x1b[2J")
    except ValueError as error:
        log.error("work crashed", exc_info=error)
    first, *rest = stream.getvalue().splitlines()
    assert first.endswith("work crashed")
    assert rest
    assert all(line.startswith("    ") for line in rest)
    assert "\x1b" not in stream.getvalue()


@given(text=st.text(max_size=60), plain=st.booleans())
def test_no_text_makes_a_second_line(text: str, plain: bool) -> None:
    stream = Terminal() if plain else io.StringIO()
    setup(stream)
    log.info("%s", text, extra={"field": text})
    written = stream.getvalue()
    assert written.endswith("\n")
    assert len(written.splitlines()) == 1
    assert written[:-1].isprintable()
    written.encode()  # no lone surrogate is left


@given(text=st.text(max_size=60))
def test_nothing_is_lost_by_escaping(text: str) -> None:
    def read(shown: str) -> str:
        return re.sub(r"\\(?:u([0-9a-f]{4})|U([0-9a-f]{8}))", lambda found: chr(int(found[1] or found[2], 16)), shown)

    assert read(escape(text)) == read(text)


def test_a_very_long_value_is_cut() -> None:
    stream = io.StringIO()
    setup(stream)
    log.info("%s", "x" * 100_000, extra={"field": "y" * 100_000})
    assert len(stream.getvalue()) < 10_000


# nothing personal


@pytest.mark.parametrize(
    "personal",
    ["eva@example.com", "eva.diaz+casa@sub.example.cl", "+56 9 1234 5678", "+56912345678", "(02) 2345-6789",
     "9 1234 5678", "912345678", "+49 (0)30 123456", "22.345.678"],
)  # fmt: skip
def test_addresses_and_numbers_are_struck_out(personal: str) -> None:
    for text in (personal, f"asked {personal} twice", f"to=<{personal}>"):
        assert re.search(r"\[(e-mail|phone)\]", redact(text)), text
        assert personal not in redact(text)


@pytest.mark.parametrize(
    "text",
    ["2026-11-25", "2026-11-25 14:00", "2026-11-25T14:00:00Z", "127.0.0.1:8420", "10.0.0.12", "visit:3f2a9c1b7d", "404",
     "gave up after 12 attempts", "https://api.calendly.com/event_types/AAAA", "v1.2.3"],
)  # fmt: skip
def test_times_addresses_of_machines_and_names_stay(text: str) -> None:
    assert redact(text) == text


@given(
    before=st.text("ab .,:;=", max_size=5),
    local=st.from_regex(r"[a-z0-9._+-]{1,20}", fullmatch=True),
    host=st.from_regex(r"[a-z0-9-]{1,10}\.[a-z]{2,4}", fullmatch=True),
)
def test_no_address_is_left_anywhere(before: str, local: str, host: str) -> None:
    assert "@" not in redact(f"{before}{local}@{host}{before}")


def test_messages_values_and_bound_fields_are_all_looked_at() -> None:
    stream = io.StringIO()
    setup(stream)
    with bound(key="gmail/ana@example.cl"):
        log.warning("read %s", "eva@example.com", extra={"who": "+56 9 1234 5678"})
    assert "example" not in stream.getvalue()
    assert "1234" not in stream.getvalue()
    assert one_line(stream)["key"] == "gmail/[e-mail]"


# fields of the work in hand


def test_bound_fields_stand_on_every_line_inside_and_on_none_outside() -> None:
    stream = io.StringIO()
    setup(stream)
    with bound(kind="pull", key="a"):
        log.info("one")
        with bound(key="b", account=None):
            log.info("two", extra={"kind": "own"})
        log.info("three")
    log.info("four")
    assert [(line.get("kind"), line.get("key")) for line in lines(stream)] == [
        ("pull", "a"),
        ("own", "b"),
        ("pull", "a"),
        (None, None),
    ]
    assert not any("account" in line for line in lines(stream))


def test_bound_fields_belong_to_their_thread() -> None:
    stream = io.StringIO()
    setup(stream)
    with bound(key="a"):
        thread = threading.Thread(target=lambda: log.info("elsewhere"))
        thread.start()
        thread.join()
    assert "key" not in one_line(stream)


def test_bound_fields_go_when_the_work_fails() -> None:
    stream = io.StringIO()
    setup(stream)
    with pytest.raises(ValueError, match="boom"), bound(key="a"):
        raise ValueError("boom")
    log.info("after")
    assert "key" not in one_line(stream)


# floods


def record(at: float, message: str = "work failed", **fields: object) -> logging.LogRecord:
    made = logging.makeLogRecord({"name": "syncd", "levelno": logging.WARNING, "msg": message, **fields})
    made.created = at
    return made


def test_a_flood_is_cut_and_counted() -> None:
    """F53."""
    limit = Limit()
    burst = [record(100.0) for _ in range(BURST + 500)]
    passed = [one for one in burst if limit.filter(one)]
    assert len(passed) == BURST
    assert "left out" in vars(passed[-1])["more"]
    assert not any("more" in vars(one) for one in passed[:-1])
    later = record(100.0 + WINDOW)
    assert limit.filter(later)
    assert vars(later)["left_out"] == 500


def test_a_slow_trickle_is_never_cut() -> None:
    limit = Limit()
    assert all(limit.filter(record(number * WINDOW / (BURST - 1))) for number in range(10 * BURST))


def test_lines_of_another_kind_or_account_are_not_held_back() -> None:
    limit = Limit()
    for _ in range(BURST + 1):
        limit.filter(record(1.0, account="a"))
    assert not limit.filter(record(1.0, account="a"))
    assert limit.filter(record(1.0, account="b"))
    assert limit.filter(record(1.0, account="a", action="other"))
    assert limit.filter(record(1.0, "another message", account="a"))


def test_a_clock_that_is_set_back_silences_nothing() -> None:
    limit = Limit()
    for _ in range(BURST + 1):
        limit.filter(record(1000.0))
    assert limit.filter(record(10.0))


def test_many_kinds_take_bounded_memory() -> None:
    limit = Limit()
    for number in range(5000):
        limit.filter(record(1.0, f"message {number}"))
    assert len(vars(limit)["_runs"]) <= 1000
