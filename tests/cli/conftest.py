"""Every test of the command line gets an installation of its own."""

import shutil
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


@pytest.fixture(scope="session")
def read_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a state directory whose calendars have been read; once, because others copy it."""
    home = tmp_path_factory.mktemp("read-once")
    template = Office(home, lambda: ("", ""))
    assert template.syncd("sync").code == 0
    return home / "state"


@pytest.fixture
def opened(office: Office, read_once: Path) -> Office:
    """Give an office whose calendars have just been read, so that its agents may be booked."""
    shutil.copytree(read_once, office.home / "state")
    return office
