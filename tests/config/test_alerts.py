"""[alerts]: its URLs are secrets, each is checked, and without any nothing is imported for them."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.config.files import changed, loaded, only_problem, problems

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"


def alerts(*urls: str) -> str:
    return changed(more="[alerts]\nurls = [\n" + "".join(f"  {one},\n" for one in urls) + "]\n")


def test_urls_are_read_wherever_they_are_kept(tmp_path: Path) -> None:
    text = alerts('"json://127.0.0.1/one"', '{ env = "ALERTS" }')
    found = loaded(text, base=tmp_path, env={"ALERTS": "ntfys://ntfy.sh/topic"})
    assert found.alerts == ("json://127.0.0.1/one", "ntfys://ntfy.sh/topic")
    assert "topic" not in repr(found)


@pytest.mark.parametrize("url", ["https", "nobody://x/secret", "", "json://"])
def test_what_apprise_does_not_know_is_told_with_its_place_and_never_repeated(url: str) -> None:
    text = alerts('"json://127.0.0.1/"', f'"{url}"')
    found = only_problem(text, f'"{url}",', "alerts.urls[1]")
    assert "is no URL of a service for alerts" in found
    assert "secret" not in found


def test_a_service_whose_certificate_nobody_would_check_is_refused() -> None:
    found = only_problem(alerts('"jsons://host/?verify=no"'), "verify=no", "alerts.urls[0]")
    assert found == "would trust any certificate; leave verify=no out"


def test_a_secret_that_is_not_there_is_one_problem() -> None:
    assert len(problems(alerts('{ env = "ALERTS" }'))) == 1


def test_without_urls_apprise_is_not_imported() -> None:
    code = (
        "import sys, pathlib; from syncd.wiring import read_config;"
        f"assert read_config(pathlib.Path({str(EXAMPLE)!r})).alerts == (); assert 'apprise' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
