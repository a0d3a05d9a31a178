"""T14: a collective event type has exactly one agent, when the configuration is read and when it is read again."""

from pathlib import Path

import pytest

from syncd.core.ids import ProjectId
from syncd.errors import ConfigError
from syncd.wiring import install

TEXT = """\
[daemon]
time_zone = "America/Santiago"
state_dir = "state"

[embedded_caldav]
enabled = true

[[agents]]
id = "ana"
name = "Ana Soto"
email = "ana@example.cl"
hours = "oficina"
calendars = [{ account = "embedded", calendar = "ana/visits", role = "publish" }]

[[agents]]
id = "beto"
name = "Beto Rojas"
email = "beto@example.cl"
hours = "oficina"
calendars = [{ account = "embedded", calendar = "beto/visits", role = "publish" }]

[hours.oficina]
weekly = { mon = ["09:00-18:00"] }

[event_types.visita]
name = "Visita"
duration = "20m"
assignment = "collective"

[projects.casas]
name = "Casas"
team = TEAM
event_types = { standard = "visita" }
"""


def written(folder: Path, team: str) -> Path:
    file = folder / "config.toml"
    file.write_text(TEXT.replace("TEAM", team), encoding="utf-8")
    return file


@pytest.mark.parametrize("team", ["[]", '["ana", "beto"]'])
def test_t14_none_and_two_are_refused_with_file_line_and_key(tmp_path: Path, team: str) -> None:
    file = written(tmp_path, team)
    with pytest.raises(ConfigError) as refused:
        install(file)
    line = TEXT.splitlines().index("team = TEAM") + 1
    places = [one for one in refused.value.problems if one.startswith(f"{file}:{line}: projects.casas.team:")]
    assert places, refused.value.problems


def test_t14_one_is_accepted_and_a_reload_that_adds_a_second_is_refused(tmp_path: Path) -> None:
    file = written(tmp_path, '["ana"]')
    installation = install(file)
    try:
        before = installation.context.directory
        written(tmp_path, '["ana", "beto"]')
        with pytest.raises(ConfigError, match=r"projects\.casas"):
            installation.reload()
        assert installation.context.directory == before
        assert before.projects[ProjectId("casas")].team == ("ana",)
    finally:
        installation.close()
