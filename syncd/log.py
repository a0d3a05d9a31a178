"""What the operator reads: one line per thing that happened, with a word from a closed list and fields beside it.

Plain on a terminal, JSON elsewhere. No token, address or telephone number of a person; what slips through is struck
out.
"""

import logging
import re
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from json import dumps
from typing import Any, Final, TextIO

log = logging.getLogger("syncd")

# The words that say what happened; an operator's alarms hang on them. A test compares them with the code, both ways.
ACTIONS: Final = frozenset(
    {
        "beat_failed",
        "command",
        "control_left",
        "egress_refused",
        "fork_found",
        "left_in_hand",
        "reload_refused",
        "reloaded",
        "request_failed",
        "started",
        "stopping",
        "store_lost",
        "store_unwritable",
        "store_writable",
        "unstored",
        "work_crashed",
        "work_failed",
    }
)

BURST = 20  # lines of one kind …
WINDOW = 60.0  # … in so many seconds; the rest is counted
REMEMBERED = 1000  # kinds of lines
LONGEST = 2000  # characters of one value; of a trace ten times as many

_OURS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
_SUSPECT = re.compile("[^ -~]")
_EMAIL = re.compile(r"[^\s@<>\"'(),;:/|=]{1,64}@[^\s@<>\"'(),;:/|=]+")
_PHONE = re.compile(r"(?<![\w.:-])\+?\d(?:[ ().-]{0,2}\d){7,14}(?![\w:])")
_NO_PHONE = re.compile(r"\d{4}-\d\d-\d\d|\d{1,3}(\.\d{1,3}){3}|\d{4}-\d\d-\d\d \d\d")

_bound: ContextVar[dict[str, object]] = ContextVar("syncd_log")


@contextmanager
def bound(**fields: object) -> Iterator[None]:
    """Put these fields on every line that this thread or task logs inside."""
    token = _bound.set({**_bound.get({}), **fields})
    try:
        yield
    finally:
        _bound.reset(token)


def setup(stream: TextIO, *, json: bool | None = None, level: int = logging.INFO) -> logging.Handler:
    """Send every line to the stream, and nowhere else; None chooses plain for a terminal and JSON for anything else.

    Of libraries only warnings and worse are heard. Calling it again replaces what was set up before.
    """
    handler = logging.StreamHandler(stream)
    handler.addFilter(Limit())
    json = not stream.isatty() if json is None else json
    handler.setFormatter(JsonLines() if json else PlainLines())
    root = logging.getLogger()
    for old in [one for one in root.handlers if isinstance(one, logging.StreamHandler) and hasattr(one, "of_syncd")]:
        root.removeHandler(old)
    vars(handler)["of_syncd"] = True
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    log.setLevel(level)
    return handler


def redact(text: str) -> str:
    """Strike out what looks like an e-mail address or a telephone number."""
    return _PHONE.sub(_phone, _EMAIL.sub("[e-mail]", text))


def _phone(match: re.Match[str]) -> str:
    return match[0] if _NO_PHONE.fullmatch(match[0]) else "[phone]"


def escape(text: str) -> str:
    """Show as \\uXXXX what could forge a line, move the cursor, turn the text around or be no character at all."""
    return _SUSPECT.sub(lambda found: found[0] if found[0].isprintable() else _named(ord(found[0])), text)


def _named(code: int) -> str:
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """Return what a line says beside its message: bound fields, then its own; personal values struck out."""
    own = {name: value for name, value in vars(record).items() if name not in _OURS}
    fields = {**_bound.get({}), **own}
    if record.name != log.name:
        fields["logger"] = record.name
    return {name: _shown(value, record.levelno) for name, value in fields.items() if value is not None}


def _shown(value: object, level: int) -> object:
    if isinstance(value, bool | int | float):
        return value
    return _clean(str(value), level, LONGEST)


def _clean(text: str, level: int, longest: int) -> str:
    text = text if len(text) <= longest else text[:longest] + "…"
    return escape(redact(text) if level >= logging.INFO else text)


def _message(record: logging.LogRecord) -> str:
    return _clean(record.getMessage(), record.levelno, LONGEST)


def _trace(record: logging.LogRecord) -> list[str]:
    """Return the lines of a traceback; what an exception says may quote a person."""
    if not record.exc_info:
        return []
    text = logging.Formatter().formatException(record.exc_info)
    return [_clean(line, record.levelno, LONGEST) for line in text[-10 * LONGEST :].split("\n")]


def _moment(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class JsonLines(logging.Formatter):
    """One JSON object per line; a traceback is one field of it."""

    def format(self, record: logging.LogRecord) -> str:
        trace = _trace(record)
        line = {
            "at": _moment(record),
            "level": record.levelname.lower(),
            "message": _message(record),
            **fields_of(record),
            **({"trace": "\n".join(trace)} if trace else {}),
        }
        return dumps(line, ensure_ascii=False)


class PlainLines(logging.Formatter):
    """Time, level, message, fields; a traceback stands below."""

    def format(self, record: logging.LogRecord) -> str:
        fields = "".join(f"  {name}={value}" for name, value in fields_of(record).items())
        first = f"{_moment(record)} {record.levelname.lower():<7} {_message(record)}{fields}"
        return "\n".join([first, *(f"    {line}" for line in _trace(record))])


@dataclass(slots=True)
class _Run:
    """Lines of one kind since a moment."""

    since: float
    count: int = 0


class Limit(logging.Filter):
    """Lets a burst of lines of one kind through in each window, and says on the next one how many were left out (F53).

    Of one kind are lines with the same words, action and account. Time is that of the lines themselves.
    """

    def __init__(self) -> None:
        super().__init__()
        self._runs: OrderedDict[tuple[object, ...], _Run] = OrderedDict()
        self._lock = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        account = vars(record).get("account", _bound.get({}).get("account"))
        kind = (record.name, record.levelno, str(record.msg), vars(record).get("action"), account)
        with self._lock:
            run = self._run(kind, record)
            run.count += 1
            if run.count == BURST:
                record.more = f"left out for {WINDOW:.0f} s"
            return run.count <= BURST

    def _run(self, kind: tuple[object, ...], record: logging.LogRecord) -> _Run:
        run = self._runs.get(kind)
        if run is None or not 0 <= record.created - run.since < WINDOW:
            if run is not None and run.count > BURST:
                record.left_out = run.count - BURST
            run = self._runs[kind] = _Run(since=record.created)
            self._runs.move_to_end(kind)
            if len(self._runs) > REMEMBERED:
                self._runs.popitem(last=False)
        return run
