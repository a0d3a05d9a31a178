"""The outside programs that some tests need: which are here, and what to install where one is not."""

import glob
import shutil
from collections.abc import Iterable
from dataclasses import dataclass

import pytest


@dataclass(frozen=True, slots=True)
class Program:
    """A group of tests needs one of these commands."""

    group: str
    commands: tuple[str, ...]  # names on PATH, or patterns of absolute paths
    package: str  # Debian's

    def path(self) -> str | None:
        """Return where the first of the commands is, None where there is none."""
        for command in self.commands:
            found = sorted(glob.glob(command))[-1:] if command.startswith("/") else [shutil.which(command)]
            if found and found[0]:
                return found[0]
        return None


PROGRAMS = {
    "postgresql": Program("PostgreSQL", ("postgres", "/usr/lib/postgresql/*/bin/postgres"), "postgresql"),
    "dovecot": Program("IMAP server", ("dovecot", "/usr/sbin/dovecot"), "dovecot-imapd"),
    "chromium": Program("browser", ("chromium", "chromium-browser", "google-chrome"), "chromium"),
    "cyrus": Program("Cyrus CalDAV server", ("/usr/lib/cyrus/bin/httpd",), "cyrus-imapd cyrus-caldav sasl2-bin"),
    "sabre": Program("sabre/dav", ("/usr/share/php/Sabre/autoload.php",), "php-sabre-dav php-sqlite3"),
    "systemd-analyze": Program("systemd units", ("systemd-analyze",), "systemd"),
}


def needs(name: str) -> pytest.MarkDecorator:
    """Mark tests that are skipped, by name and with the remedy, where a program is missing."""
    program = PROGRAMS[name]
    reason = f"{program.group}: {name} is missing; remedy: apt install {program.package}"
    return pytest.mark.skipif(program.path() is None, reason=reason)


def groups_skipped(reasons: Iterable[str]) -> list[str]:
    """Return, once each, those reasons of skipped tests that a missing program gave."""
    return sorted({reason.removeprefix("Skipped: ") for reason in reasons if "; remedy: " in reason})
