"""The published payloads beside the checkout; tests that need them are skipped, and say so, where they are absent."""

import json
from pathlib import Path
from typing import Any

import pytest

FIXTURES = Path(__file__).resolve().parents[3] / "shared" / "fixtures"


def published(name: str) -> Any:
    """Return one published payload, or skip the test where none of them are here."""
    if not FIXTURES.is_dir():
        pytest.skip(f"the published payloads are not here: {FIXTURES}")
    return json.loads((FIXTURES / name).read_text(encoding="utf-8"))


def names(folder: str, prefix: str) -> list[str]:
    """List the published payloads of one kind; one stand-in name where there are none, whose test then skips."""
    found = sorted(path.name for path in (FIXTURES / folder).glob(f"{prefix}*.json"))
    return [f"{folder}/{name}" for name in found] or [f"{folder}/{prefix}absent.json"]


def wire(payload: Any) -> bytes:
    """Write a payload as it travels: compact, UTF-8."""
    return json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()
