"""Secrets named in the file: found at once or told at once, and never shown."""

import json
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, SecretStr, field_validator

from syncd.config import load
from syncd.errors import ConfigError
from syncd.ports import ConnectorSpec
from tests.config.files import RIGHT, TODAY, changed, loaded, only_problem, problems

PLAIN = 'token = "a-token"'


def token_of(text: str, base: Path, env: dict[str, str] | None = None) -> str:
    settings = next(iter(loaded(text, base=base, env=env).accounts.values())).settings
    return str(settings.token.get_secret_value())


def write(path: Path, content: str | bytes, mode: int = 0o600) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)
    return path


def test_a_secret_comes_from_a_credential(tmp_path: Path) -> None:
    write(tmp_path / "calendly", "t0ken\n", 0o440)  # systemd hands them over so
    text = changed((PLAIN, 'token = { credential = "calendly" }'))
    assert token_of(text, tmp_path, {"CREDENTIALS_DIRECTORY": str(tmp_path)}) == "t0ken"


def test_a_secret_comes_from_the_environment(tmp_path: Path) -> None:
    assert token_of(changed((PLAIN, 'token = { env = "TOKEN" }')), tmp_path, {"TOKEN": " t0ken "}) == " t0ken "


def test_a_secret_comes_from_a_file_beside_the_configuration(tmp_path: Path) -> None:
    write(tmp_path / "token", "t0ken\r\n")
    config = loaded(changed((PLAIN, 'token = { file = "token" }')), base=tmp_path)
    assert token_of(changed((PLAIN, 'token = { file = "token" }')), tmp_path) == "t0ken"
    assert config.secret_files == (tmp_path / "token",)


def test_secrets_in_lists_and_tables_are_found(tmp_path: Path) -> None:
    text = changed(
        ('["a-key"]', '[{ env = "NEW" }, { env = "OLD" }]'), more='[api]\ntokens = { crm = { env = "CRM" } }\n'
    )
    config = loaded(text, env={"NEW": "n", "OLD": "o", "CRM": "c"})
    assert next(iter(config.accounts.values())).settings.keys == ["n", "o"]
    assert config.api.tokens == {"crm": "c"}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    write(tmp_path / "token", "t0ken", mode)
    found = problems(changed((PLAIN, 'token = { file = "token" }')), base=tmp_path)
    assert len(found) == 1
    assert f"others may read {tmp_path / 'token'} (mode {mode:04o}); run: chmod 600" in found[0]


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ('{ credential = "calendly" }', "LoadCredential=calendly:/path"),
        ('{ credential = "../passwd" }', "is no name of a credential"),
        ('{ env = "MISSING" }', 'the environment variable "MISSING" is not set'),
        ('{ env = "EMPTY" }', 'the env "EMPTY" is empty'),
        ('{ file = "missing" }', "No such file"),
        ('{ file = "empty" }', "is empty"),
        ('{ file = "folder" }', "is no file"),
        ('{ file = "binary" }', "is not UTF-8 text"),
        ('{ file = "long" }', "is too long for a secret"),
        ('{ file = "" }', "should be named by text in quotes"),
        ("{ file = 7 }", "should be named by text in quotes"),
        ('{ env = "A", file = "b" }', "should be a secret: { credential"),
        ('{ vault = "A" }', "should be a secret: { credential"),
        ("{}", "should be a secret: { credential"),
        ("7", "should be a secret: { credential"),
    ],
)
def test_a_secret_that_cannot_be_had_is_told(tmp_path: Path, reference: str, words: str) -> None:
    write(tmp_path / "empty", "\n")
    write(tmp_path / "binary", b"\xff\xfe")
    write(tmp_path / "long", b"x" * 70_000)
    (tmp_path / "folder").mkdir()
    text = changed((PLAIN, f"token = {reference}"))
    found = problems(text, base=tmp_path, env={"EMPTY": ""})
    assert len(found) == 1, found
    assert "accounts.agenda.token: " in found[0]
    assert words in found[0]


class Sealed(BaseModel):
    """Settings that look into their secret, as those with a service account do."""

    model_config = ConfigDict(extra="forbid", strict=True)

    account: SecretStr

    @field_validator("account")
    @classmethod
    def _is_json(cls, value: SecretStr) -> SecretStr:
        json.loads(value.get_secret_value())
        return value


def test_nothing_is_said_about_the_inside_of_a_secret_that_is_missing() -> None:
    spec = ConnectorSpec(kind="sealed", settings_model=Sealed, check=lambda account, settings, env, names: [])
    text = b'[accounts.a]\nkind = "sealed"\naccount = { env = "MISSING" }\n'

    def told(env: dict[str, str]) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            load(text, {"sealed": spec}, file="c.toml", base=Path("/nowhere"), env=env, today=TODAY)
        return caught.value.problems

    assert told({}) == ['c.toml:3: accounts.a.account: the environment variable "MISSING" is not set']
    assert len(told({"MISSING": "no JSON"})) == 1
    assert "no JSON" not in told({"MISSING": "no JSON"})[0]


def test_a_missing_secret_does_not_hide_other_mistakes_of_its_account() -> None:
    text = changed((PLAIN, 'token = { env = "MISSING" }\nretries = 3'))
    assert [one.split(": ")[1] for one in problems(text)] == ["accounts.agenda.token", "accounts.agenda.retries"]


def test_a_token_that_cannot_be_had_is_told_once() -> None:
    text = changed(more='[api]\ntokens = { a = { env = "A" }, b = { env = "B" } }\n')
    assert [one.split(": ")[1] for one in problems(text)] == ["api.tokens.a", "api.tokens.b"]


def test_nothing_that_is_printed_shows_a_secret() -> None:
    config = loaded(changed(more='[api]\ntokens = { a = "s3cr3t" }\n'))
    assert not any(secret in repr(config) for secret in ("s3cr3t", "a-token", "a-key"))


def test_a_table_where_text_belongs_is_no_secret() -> None:
    words = only_problem(changed(('name = "Casas"', 'name = { env = "NAME" }')), "NAME", "projects.casas.name")
    assert words == "should be text in quotes"


def test_the_right_text_names_no_files() -> None:
    assert loaded(RIGHT).secret_files == ()
