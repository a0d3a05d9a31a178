"""An installation put together from a file: what it makes, what it refuses, what a reload may change."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest
import requests
import urllib3

import connectors
from connectors.memory import signed, world_named
from syncd import wiring
from syncd.clock import SystemClock
from syncd.core.ids import AccountId, AgentId, ProjectId
from syncd.core.interval import Interval
from syncd.errors import BadSignature, ConfigError, StoreBusy, StoreError
from syncd.flows.sign_in import set_password
from syncd.ports import Call
from syncd.runner import drain, sweep
from syncd.web import dav
from syncd.wiring import Installation, checks, config_schema, inspect, install, read_config

ROOT = Path(__file__).parent.parent
TOKEN = "a-token-of-thirty-two-characters"
CONFIG = """\
[daemon]
public_url = "http://127.0.0.1:{port}"
listen = "127.0.0.1:{port}"

[embedded_caldav]
enabled = true

[api]
tokens = {{ test = "{token}" }}

[accounts.desk]
kind = "memory"
world = "{world}"

[[agents]]
id = "ana"
name = "Ana Soto"
email = "Ana@a.example"
scheduler_email = "ana@desk.example"
hours = "lejos"
calendars = [
  {{ account = "embedded", calendar = "ana/visits", role = "publish" }},
  {{ account = "desk", calendar = "sala", role = "busy" }},
]

[[agents]]
id = "bruno"
name = "Bruno Rojas"
email = "bruno@a.example"
hours = "lejos"
calendars = [{{ account = "desk", calendar = "sala", role = "busy" }}]

[hours.lejos]
time_zone = "America/Punta_Arenas"
weekly = {{ mon = ["09:00-18:00"] }}

[event_types.visita]
name = "Visita"
duration = "20m"
assignment = "collective"

[projects.casas]
name = "Casas"
team = ["ana"]
responsible = "ana"
event_types = {{ standard = "visita" }}
scheduler = {{ account = "desk", standard = "visita" }}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Site:
    """A folder with a configuration that can be edited, and the installations made from it."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.file = folder / "config.toml"
        self.state = folder / "state"
        self.world = folder.name
        self._stack = stack
        self.file.write_text(CONFIG.format(port=free_port(), token=TOKEN, world=self.world))

    def edit(self, old: str, new: str) -> None:
        text = self.file.read_text()
        assert old in text
        self.file.write_text(text.replace(old, new, 1))

    def install(self) -> Installation:
        return self._stack.enter_context(closing(install(self.file)))

    def inspect(self) -> Installation:
        return self._stack.enter_context(closing(inspect(self.file)))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with ExitStack() as stack:
        yield Site(tmp_path, stack)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


# making


def test_the_first_installation_makes_everything_for_itself_alone(site: Site) -> None:
    site.install()
    assert mode(site.state) == 0o700
    assert mode(site.state / "secret") == 0o600
    assert mode(site.state / "syncd.db") == 0o600
    assert (site.state / "dav" / "collection-root" / "ana" / "visits").is_dir()


def test_one_process_owns_the_store(site: Site) -> None:
    site.install()
    with pytest.raises(StoreBusy):
        install(site.file)


def test_a_closed_installation_lets_go_of_the_store(site: Site) -> None:
    install(site.file).close()
    site.install()


def test_what_fails_half_way_lets_go_of_the_store(site: Site) -> None:
    site.state.mkdir(mode=0o700)
    (site.state / "secret").write_text("too short")
    (site.state / "secret").chmod(0o600)
    with pytest.raises(ConfigError, match="is damaged"):
        install(site.file)
    (site.state / "secret").unlink()
    site.install()


def test_a_file_that_is_not_there_is_a_problem_of_the_configuration(tmp_path: Path) -> None:
    for make in (install, inspect, read_config):
        with pytest.raises(ConfigError, match="cannot be read: No such file"):
            make(tmp_path / "none.toml")


def test_a_wrong_file_makes_nothing(site: Site) -> None:
    site.edit('name = "Visita"', 'nombre = "Visita"')
    with pytest.raises(ConfigError, match=r"config\.toml:\d+: event_types\.visita\.nombre: "):
        install(site.file)
    assert not site.state.exists()


def test_an_unsafe_state_directory_stops_the_start_and_names_the_key(site: Site) -> None:
    """H154."""
    site.edit('listen = "', 'state_dir = "shared"\nlisten = "')
    shared = site.file.parent / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    with pytest.raises(ConfigError) as caught:
        install(site.file)
    assert caught.value.problems[0].startswith(f"{site.file}:3: daemon.state_dir: others may write into {shared}")
    assert list(shared.iterdir()) == []


def test_under_systemd_the_state_directory_is_the_given_one(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    given = site.file.parent / "given"
    monkeypatch.setenv("STATE_DIRECTORY", str(given))
    assert site.install().control_path == given / "control.sock"
    assert (given / "syncd.db").exists()
    assert not site.state.exists()


def test_without_the_embedded_server_no_calendars_are_made(site: Site) -> None:
    site.edit("enabled = true", "enabled = false")
    site.edit('  { account = "embedded", calendar = "ana/visits", role = "publish" },\n', "")
    installation = site.install()
    assert "embedded" not in installation.context.accounts
    assert not (site.state / "dav").exists()


# reading beside the owner


def test_reading_works_beside_the_owner_and_makes_nothing(site: Site) -> None:
    owner = site.install()
    before = sorted(path.name for path in site.state.iterdir())
    reader = site.inspect()
    assert reader.context.generation == owner.context.generation
    assert reader.link_key() == owner.link_key()
    with reader.context.store.read() as tx:
        assert tx.accounts.states() == []
    assert sorted(path.name for path in site.state.iterdir()) == before


def test_reading_before_the_first_start_says_what_to_do(site: Site) -> None:
    with pytest.raises(StoreError, match=f"there is no store yet at {site.state}/syncd.db; the first `syncd run`"):
        inspect(site.file)
    assert not site.state.exists()


# secrets


def test_links_and_request_ids_hold_over_restarts(site: Site) -> None:
    first = install(site.file)
    key, token = first.link_key(), first.context.request_token("r.1")
    first.close()
    second = site.install()
    assert second.link_key() == key
    assert second.context.read_request_token(token) == "r.1"
    assert second.context.read_request_token("r.1.0000000000000000") is None


def test_a_secret_of_the_file_goes_before_the_kept_one(site: Site) -> None:
    first = install(site.file)
    key = first.link_key()
    first.close()
    site.edit("[daemon]\n", f'[daemon]\nsecret = "{"s" * 40}"\n')
    assert site.install().link_key() != key


def test_another_installation_has_other_keys(site: Site, tmp_path_factory: pytest.TempPathFactory) -> None:
    with ExitStack() as stack:
        other = Site(tmp_path_factory.mktemp("other"), stack)
        token = other.install().context.request_token("r1")
        assert site.install().context.read_request_token(token) is None


# connectors


def test_a_calendar_has_one_connector_whoever_uses_it(site: Site) -> None:
    context = site.install().context
    ana, bruno = (context.directory.agents[AgentId(name)].calendars[-1] for name in ("ana", "bruno"))
    assert ana.id == bruno.id == "desk/sala"
    assert context.calendar_of(ana) is context.calendar_of(bruno)
    own = context.directory.agents[AgentId("ana")].calendars[0]
    assert context.calendar_of(own) is not context.calendar_of(ana)


def test_a_connector_is_told_the_zone_and_the_addresses_of_its_agents(site: Site) -> None:
    config = read_config(site.file)
    env = wiring.environment(config, SystemClock(), lambda purpose: b"", lambda: "", None)
    use = wiring.Logins(config, env, None).use_of(config.directory.calendars()[1])
    assert (use.name, use.time_zone) == ("sala", "America/Punta_Arenas")
    assert use.emails == {"ana@a.example", "ana@desk.example", "bruno@a.example"}


def test_every_account_plays_the_parts_of_its_kind(site: Site) -> None:
    accounts = site.install().context.accounts
    desk, embedded = accounts[AccountId("desk")], accounts[AccountId("embedded")]
    assert (desk.kind, embedded.kind) == ("memory", "caldav")
    assert desk.scheduler is not None and desk.push is not None and desk.hook is not None and desk.home is not None
    assert desk.scheduler() is desk.scheduler()
    assert embedded.scheduler is None and embedded.push is None and embedded.hook is None
    assert embedded.home is not None
    assert list(embedded.home().marks()) == ["ana/visits"]


def test_a_hook_knows_its_account_and_its_keys(site: Site) -> None:
    hook = site.install().context.accounts[AccountId("desk")].hook
    assert hook is not None
    body, now = b'{"booking": "b1"}', datetime(2026, 5, 4, tzinfo=UTC)
    assert [touch.key for touch in hook(Call(headers=signed("memory", body), body=body, now=now)).touches] == [
        "desk|b1"
    ]
    with pytest.raises(BadSignature):
        hook(Call(headers=signed("another key", body), body=body, now=now))


def test_the_parts_work_together(site: Site) -> None:
    """A stranger's event in a calendar becomes busy time of both agents who use that calendar."""
    context = site.install().context
    start = datetime.combine(SystemClock().now().date() + timedelta(days=3), time(12), UTC)
    world_named(site.world, context.clock).shelf("desk", "sala").add(Interval(start, start + timedelta(hours=1)))
    sweep(context, context.clock.now())
    assert drain(context) > 0
    with context.store.read() as tx:
        states = {ref.id: tx.calendars.state(ref.id) for ref in context.directory.calendars()}
        window = Interval(start, start + timedelta(days=1)).epoch
        spans = tx.calendars.spans(list(states), window, all_day=True)
    assert all(state.read_at is not None and not state.attention for state in states.values())
    assert [span for calendar in spans.values() for span in calendar] == [
        (int(start.timestamp()), int(start.timestamp()) + 3600)
    ]


# serving


def test_the_server_answers_and_its_tokens_follow_a_reload(site: Site) -> None:
    installation = site.install()
    server = installation.server()
    server.start()
    try:
        url = installation.config.daemon.public_url

        def status(token: str) -> int:
            headers = {"Authorization": f"Bearer {token}"}
            return requests.get(f"{url}/api/visits", headers=headers, timeout=10).status_code

        assert requests.get(f"{url}/healthz", timeout=10).status_code == 200
        assert (status(TOKEN), status("wrong")) == (200, 401)
        site.edit(TOKEN, "another-token-of-thirty-two-chars")
        installation.reload()
        assert (status(TOKEN), status("another-token-of-thirty-two-chars")) == (401, 200)
    finally:
        server.stop()


def test_an_agent_reaches_the_own_calendar_and_nobody_gets_in_as_our_connector(site: Site) -> None:
    installation = site.install()
    assert set_password(installation.context, AgentId("ana"), "long enough") is None
    server = installation.server()
    server.start()
    try:
        home = f"{installation.config.daemon.public_url}/dav/ana/visits/"

        def status(user: str, password: str) -> int:
            return requests.request("PROPFIND", home, auth=(user, password), timeout=10).status_code

        assert status("ana", "long enough") == 207
        assert status("ana", "wrong wrong") == 401
        assert status(wiring.INSIDER, "") == 401
    finally:
        server.stop()


def test_our_connector_comes_to_the_embedded_server_by_the_right_name() -> None:
    assert wiring.INSIDER == dav.INTERNAL


# reloading


def test_a_reload_takes_over_what_the_file_says_now(site: Site) -> None:
    installation = site.install()
    before = installation.context
    site.edit('name = "Casas"', 'name = "Casas nuevas"')
    further = '  { account = "embedded", calendar = "ana/otra", role = "busy" },\n'
    site.edit('  { account = "desk"', f'{further}  {{ account = "desk"')
    installation.reload()
    assert installation.context.directory.projects[ProjectId("casas")].name == "Casas nuevas"
    assert installation.context.store is before.store
    assert before.directory.projects[ProjectId("casas")].name == "Casas"
    assert (site.state / "dav" / "collection-root" / "ana" / "otra").is_dir()


def test_a_wrong_file_keeps_the_old_configuration(site: Site) -> None:
    """F45."""
    installation = site.install()
    config, context = installation.config, installation.context
    site.edit('duration = "20m"', 'duration = "20"')
    with pytest.raises(ConfigError, match=r"event_types\.visita\.duration"):
        installation.reload()
    assert installation.config is config
    assert installation.context is context


def test_a_reload_that_adds_a_second_agent_to_a_collective_team_is_refused(site: Site) -> None:
    """T14."""
    installation = site.install()
    context = installation.context
    site.edit('team = ["ana"]', 'team = ["ana", "bruno"]')
    with pytest.raises(ConfigError, match=r"config\.toml:\d+: projects\.casas\.team: .* exactly one agent"):
        installation.reload()
    assert installation.context is context


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("[daemon]\n", '[daemon]\nstate_dir = "elsewhere"\n', "daemon.state_dir"),
        ('listen = "127.0.0.1:', 'listen = "127.0.0.2:', "daemon.listen"),
        ("[daemon]\n", f'[daemon]\nsecret = "{"s" * 40}"\n', "daemon.secret"),
        ("[daemon]\n", '[daemon]\ntrusted_proxies = ["10.0.0.1"]\n', "daemon.trusted_proxies"),
        ("[api]\n", '[store]\nurl = "sqlite:other.db"\n[api]\n', "store.url"),
    ],
)
def test_what_needs_a_restart_is_refused_and_told_so(site: Site, old: str, new: str, key: str) -> None:
    installation = site.install()
    context = installation.context
    site.edit(old, new)
    with pytest.raises(ConfigError) as caught:
        installation.reload()
    told = [one for one in caught.value.problems if f": {key}: changes only with a restart" in one]
    assert len(told) == 1
    assert installation.context is context


# checks


def test_checks_without_the_network_look_at_the_process_and_its_folder(site: Site) -> None:
    config = read_config(site.file)
    found = {check.what: check.state for _, check in checks(config, online=False)}
    assert found == {"urllib3": "ok", "state_dir": "ok"}
    assert not site.state.exists()
    site.state.mkdir()
    site.state.chmod(0o777)
    assert [check.state for _, check in checks(config, online=False) if check.what == "state_dir"] == ["fail"]


def test_online_checks_try_every_account_and_make_nothing(site: Site) -> None:
    config = read_config(site.file)
    found = checks(config, online=True)
    assert {account for account, _ in found} == {"syncd", "desk"}
    assert not site.state.exists()
    site.install()
    found = checks(config, online=True)
    assert {account for account, _ in found} == {"syncd", "desk", "embedded"}
    assert [check.what for account, check in found if account == "desk"] == ["sala", "visita"]
    assert not [check for _, check in found if check.state == "fail"]


def test_an_account_that_cannot_be_reached_fails_its_check(site: Site) -> None:
    away = f"http://127.0.0.1:{free_port()}/"
    site.edit("[accounts.desk]", f'[accounts.away]\nkind = "caldav"\nurl = "{away}"\n[accounts.desk]')
    found = [check for account, check in checks(read_config(site.file), online=True) if account == "away"]
    assert "fail" in [check.state for check in found]
    assert all(check.remedy for check in found if check.state == "fail")


def test_a_fork_of_urllib3_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert wiring.urllib3_check().state == "ok"
    monkeypatch.setattr(urllib3, "__version__", "2.25.904")
    found = wiring.urllib3_check()
    assert found.state == "warn"
    assert "2.25.904" in found.text
    assert found.remedy


# processes


def python(code: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True, check=False, timeout=60
    )


def test_a_foreign_connectors_package_is_refused_before_it_runs(tmp_path: Path) -> None:
    (tmp_path / "connectors").mkdir()
    (tmp_path / "connectors" / "__init__.py").write_text("print('foreign code ran')")
    code = (
        "from pathlib import Path\nfrom syncd.errors import ConfigError\nfrom syncd.wiring import read_config\n"
        f"try:\n    read_config(Path({str(ROOT / 'config.example.toml')!r}))\n"
        "except ConfigError as error:\n    print(error)"
    )
    done = python(code, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "foreign code ran" not in done.stdout
    assert f"the package `connectors` comes from {tmp_path}" in done.stdout
    assert "PYTHONSAFEPATH=1" in done.stdout


def test_reading_a_configuration_imports_neither_the_web_nor_a_connector_that_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("")
    code = (
        "import sys\nfrom pathlib import Path\nfrom syncd.wiring import read_config\n"
        f"read_config(Path({str(tmp_path / 'config.toml')!r}))\n"
        "print(sorted(sys.modules.keys() & {'fastapi', 'radicale', 'requests', 'caldav', 'holidays', "
        "'connectors.calendly', 'connectors.caldav', 'connectors.memory'}))"
    )
    done = python(code, ROOT)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_every_kind_loads_and_names_itself() -> None:
    assert {kind: connectors.load(kind).kind for kind in connectors.KINDS} == {kind: kind for kind in connectors.KINDS}
    with pytest.raises(KeyError):
        connectors.load("fax")


def test_the_schema_is_that_of_these_connectors() -> None:
    branches = config_schema()["properties"]["accounts"]["additionalProperties"]["oneOf"]
    assert len(branches) == len(connectors.KINDS)
