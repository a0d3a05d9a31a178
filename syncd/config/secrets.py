"""Secrets in the file: `{ credential = "…" }`, `{ env = "…" }`, `{ file = "…" }`, or plain text.

Resolved when the file is loaded, so that a missing one stops the start and not the first call.
"""

import os
import stat
import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path as File
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr

from syncd.config.problems import Path, Problem, quoted

LARGEST = 64 * 2**10  # bytes; a Google service account has 2.5 KiB
WAYS = ("credential", "env", "file")
ADVICE = '{ credential = "name" }, { env = "NAME" } or { file = "path" }'


@dataclass(slots=True)
class Secrets:
    """Replaces references by the secrets they name; gathers problems, and which secrets stood there in clear."""

    base: File  # files are relative to this folder
    env: Mapping[str, str]
    problems: list[Problem] = field(default_factory=list)
    inline: list[Path] = field(default_factory=list)
    files: list[File] = field(default_factory=list)

    def resolve(self, raw: Any, annotation: Any, path: Path) -> Any:
        """Return `raw` with every secret that the annotation asks for in clear; what is not understood stays."""
        if annotation is SecretStr:
            return self._secret(raw, path)
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            return self._table(raw, annotation, path)
        inner = get_args(annotation)
        if get_origin(annotation) in (Union, types.UnionType):
            for one in (one for one in inner if mentions_secret(one)):
                raw = self.resolve(raw, one, path)
            return raw
        if isinstance(raw, list) and inner:
            return [self.resolve(one, inner[0], (*path, number)) for number, one in enumerate(raw)]
        if isinstance(raw, dict) and len(inner) == 2:
            return {name: self.resolve(one, inner[1], (*path, name)) for name, one in raw.items()}
        return raw

    def _table(self, raw: Any, model: type[BaseModel], path: Path) -> Any:
        if not isinstance(raw, dict):
            return raw
        kinds = {field.alias or name: field.annotation for name, field in model.model_fields.items()}
        return {
            name: self.resolve(value, kinds[name], (*path, name)) if name in kinds else value
            for name, value in raw.items()
        }

    def _secret(self, raw: Any, path: Path) -> Any:
        if isinstance(raw, str):
            self.inline.append(path)
            return raw
        try:
            return self._named(raw)
        except ValueError as error:
            self.problems.append(Problem(path, str(error)))
            return "unresolved"

    def _named(self, raw: Any) -> str:
        if not isinstance(raw, dict) or len(raw) != 1 or next(iter(raw)) not in WAYS:
            raise ValueError(f"should be a secret: {ADVICE}")
        way, name = next(iter(raw.items()))
        if not isinstance(name, str) or not name or "\0" in name:
            raise ValueError(f"the {way} should be named by text in quotes: {ADVICE}")
        text = {"credential": self._credential, "env": self._variable, "file": self._file}[way](name)
        if not text.strip():
            raise ValueError(f"the {way} {quoted(name)} is empty")
        return text

    def _credential(self, name: str) -> str:
        folder = self.env.get("CREDENTIALS_DIRECTORY")
        if "/" in name or name.startswith("."):
            raise ValueError(f"{quoted(name)} is no name of a credential; write the name given to LoadCredential=")
        if not folder:
            raise ValueError(
                f"no credentials are passed to this process; under systemd write LoadCredential={name}:/path "
                'into the unit, elsewhere use { env = "NAME" } or { file = "path" }'
            )
        return _content(File(folder) / name, f"add LoadCredential={name}:/path to the unit")

    def _variable(self, name: str) -> str:
        if name not in self.env:
            raise ValueError(f"the environment variable {quoted(name)} is not set")
        return self.env[name]

    def _file(self, name: str) -> str:
        path = self.base / File(name).expanduser()
        text = _content(path, "write the secret into it", private=True)
        self.files.append(path)
        return text


def _content(path: File, remedy: str, *, private: bool = False) -> str:
    """Read a secret's file, without the line break at its end. Raises ValueError."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ValueError(f"{path} is no file")
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror}); {remedy}") from None
    if private and mode & 0o077:
        raise ValueError(f"others may read {path} (mode {stat.S_IMODE(mode):04o}); run: chmod 600 {path}")
    if len(content) > LARGEST:
        raise ValueError(f"{path} is too long for a secret")
    try:
        return content.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8 text") from None


def mentions_secret(annotation: Any) -> bool:
    """Tell whether a secret stands anywhere inside an annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return any(mentions_secret(field.annotation) for field in annotation.model_fields.values())
    return annotation is SecretStr or any(mentions_secret(one) for one in get_args(annotation))
