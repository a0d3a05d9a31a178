"""Every test of the command line gets an installation of its own."""

from pathlib import Path

import pytest

from tests.cli.office import Office


@pytest.fixture
def office(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Office:
    monkeypatch.chdir(tmp_path)

    def capture() -> tuple[str, str]:
        found = capsys.readouterr()
        return found.out, found.err

    return Office(tmp_path, capture)


@pytest.fixture
def opened(office: Office) -> Office:
    """Give an office whose calendars have been read, so that its agents may be booked."""
    assert office.syncd("sync").code == 0
    return office
