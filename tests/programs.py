"""The outside programs that some tests need: which are here, and what to install where one is not."""

import glob
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass

import pytest

# A user's PATH often lacks these, and servers are what they hold.
SERVERS_LIE_IN = ("/usr/sbin", "/sbin")


def look_where_servers_lie() -> None:
    """Extend PATH, of the tests and of all that they start, by the folders of servers."""
    known = os.environ.get("PATH", os.defpath).split(os.pathsep)
    os.environ["PATH"] = os.pathsep.join([*known, *(one for one in SERVERS_LIE_IN if one not in known)])


@dataclass(frozen=True, slots=True)
class Program:
    """A group of tests needs one of these commands."""

    group: str
    commands: tuple[str, ...]  # names on PATH, or patterns of absolute paths
    package: str  # Debian's
    also: tuple[str, ...] = ()  # further commands, all of which are needed beside it

    def path(self) -> str | None:
        """Return where the first of the commands is, None where there is none or it lacks its company."""
        if not all(shutil.which(command) for command in self.also):
            return None
        for command in self.commands:
            found = sorted(glob.glob(command))[-1:] if command.startswith("/") else [shutil.which(command)]
            if found and found[0]:
                return found[0]
        return None


PROGRAMS = {
    "postgresql": Program("PostgreSQL", ("postgres", "/usr/lib/postgresql/*/bin/postgres"), "postgresql"),
    "dovecot": Program("IMAP server", ("dovecot",), "dovecot-imapd"),
    "chromium": Program("browser", ("chromium", "chromium-browser", "google-chrome"), "chromium"),
    "cyrus": Program(
        "Cyrus CalDAV server",
        ("/usr/lib/cyrus/bin/httpd",),
        "cyrus-imapd cyrus-caldav sasl2-bin",
        also=("saslpasswd2",),
    ),
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
