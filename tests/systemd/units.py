"""Reads the units of this checkout as systemd does: sections, repeated keys, an empty value that forgets what came
before."""

import shlex
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "systemd"
DROP_IN = "syncd.service.d/broker.conf"


class Unit:
    """One unit with its drop-ins: section and key -> every value in force, in order."""

    def __init__(self, *files: str) -> None:
        self._values: dict[tuple[str, str], list[str]] = {}
        for file in files:
            self._read((FOLDER / file).read_text())

    def _read(self, text: str) -> None:
        section = ""
        for line in text.replace("\\\n", " ").splitlines():
            if line.startswith("["):
                section = line.strip("[] ")
            elif "=" in line and not line.startswith(("#", ";")):
                key, _, value = line.partition("=")
                self._set((section, key.strip()), value.strip())

    def _set(self, name: tuple[str, str], value: str) -> None:
        known = self._values.setdefault(name, [])
        if not value:
            known.clear()
        known.append(value)

    def all(self, key: str, section: str = "Service") -> list[str]:
        """Return every value of a key; [""] where it is emptied, [] where it is not there."""
        return self._values.get((section, key), [])

    def one(self, key: str, section: str = "Service") -> str | None:
        """Return the value that counts: the last."""
        values = self.all(key, section)
        return values[-1] if values else None

    def words(self, key: str, section: str = "Service") -> list[str]:
        """Return the words of all values of a list."""
        return [word for value in self.all(key, section) for word in shlex.split(value)]
