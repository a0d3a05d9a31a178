"""Reads the configuration file, and says what its schema is."""

import os
from pathlib import Path
from typing import Any

from syncd.clock import Clock, SystemClock
from syncd.config import Config, load, schema
from syncd.config.lines import LARGEST
from syncd.errors import ConfigError
from syncd.wiring.logins import connector_specs


def config_schema() -> dict[str, Any]:
    """Return the JSON Schema of the configuration file."""
    return schema(connector_specs())


def read_config(file: Path, clock: Clock | None = None) -> Config:
    """Read a configuration file alone; raises ConfigError."""
    clock = clock or SystemClock()
    try:
        with file.open("rb") as opened:
            text = opened.read(LARGEST + 1)
    except OSError as error:
        raise ConfigError([f"{file}: the configuration cannot be read: {error.strerror}"]) from None
    return load(
        text,
        connector_specs(),
        file=str(file),
        base=file.absolute().parent,
        env=os.environ,
        today=clock.now().date(),
    )
