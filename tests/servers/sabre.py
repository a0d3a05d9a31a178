"""sabre/dav as a process under PHP's own web server: the engine inside Nextcloud, ownCloud and Baïkal.

Debian has 1.8, which keeps no sync tokens; SABRE_DAV=/path/to/vendor/autoload.php names a later one, from composer.
"""

import itertools
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from tests.programs import PROGRAMS
from tests.servers.dav import Hands
from tests.servers.process import free_port, running

PASSWORD = "contraseña: 7"
LATER = os.environ.get("SABRE_DAV", "")
REMEDY = "sabre/dav 4: SABRE_DAV is not set; remedy: composer require sabre/dav, SABRE_DAV=.../vendor/autoload.php"

TABLES = """
CREATE TABLE principals (id INTEGER PRIMARY KEY, uri TEXT UNIQUE, email TEXT, displayname TEXT, vcardurl TEXT);
CREATE TABLE groupmembers (id INTEGER PRIMARY KEY, principal_id INTEGER, member_id INTEGER);
CREATE TABLE calendarobjects (
    id INTEGER PRIMARY KEY, calendardata BLOB, uri TEXT, calendarid INTEGER, lastmodified INTEGER, etag TEXT,
    size INTEGER, componenttype TEXT, firstoccurence INTEGER, lastoccurence INTEGER, uid TEXT, UNIQUE (calendarid, uri)
);
CREATE TABLE calendarchanges (
    id INTEGER PRIMARY KEY, uri TEXT, synctoken INTEGER, calendarid INTEGER, operation INTEGER
);
CREATE TABLE schedulingobjects (
    id INTEGER PRIMARY KEY, principaluri TEXT, calendardata BLOB, uri TEXT, lastmodified INTEGER, etag TEXT,
    size INTEGER
);
CREATE TABLE calendarsubscriptions (
    id INTEGER PRIMARY KEY, uri TEXT, principaluri TEXT, source TEXT, displayname TEXT, refreshrate TEXT,
    calendarorder INTEGER, calendarcolor TEXT, striptodos INTEGER, stripalarms INTEGER, stripattachments INTEGER,
    lastmodified INTEGER
);
"""
CALENDARS_1 = """
CREATE TABLE calendars (
    id INTEGER PRIMARY KEY, principaluri TEXT, displayname TEXT, uri TEXT, ctag INTEGER, description TEXT,
    calendarorder INTEGER, calendarcolor TEXT, timezone TEXT, components TEXT, transparent INTEGER
);
"""
CALENDARS_4 = """
CREATE TABLE calendars (id INTEGER PRIMARY KEY, synctoken INTEGER DEFAULT 1 NOT NULL, components TEXT NOT NULL);
CREATE TABLE calendarinstances (
    id INTEGER PRIMARY KEY, calendarid INTEGER NOT NULL, principaluri TEXT, access INTEGER NOT NULL DEFAULT 1,
    displayname TEXT, uri TEXT NOT NULL, description TEXT, calendarorder INTEGER, calendarcolor TEXT, timezone TEXT,
    transparent INTEGER, share_href TEXT, share_displayname TEXT, share_invitestatus INTEGER DEFAULT 2,
    UNIQUE (principaluri, uri), UNIQUE (calendarid, principaluri)
);
"""


class SabreHands(Hands):
    """A person's hands that name every calendar they make: later sabre/dav chokes on a request without a property."""

    def make_calendar(self, path: str, title: str = "") -> None:
        super().make_calendar(path, title or unquote(path.rstrip("/").rpartition("/")[2]))


@dataclass(slots=True)
class Sabre:
    """A running server."""

    url: str
    folder: Path
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def new_user(self) -> str:
        """Make a user without calendars; the password is PASSWORD."""
        name = f"ana{next(self.numbers)}"
        self.set_password(name, PASSWORD)
        with closing(sqlite3.connect(self.folder / "db.sqlite")) as base, base:
            base.execute(
                "INSERT INTO principals (uri, email) VALUES (?, ?)", (f"principals/{name}", f"{name}@a.example")
            )
        return name

    def forget(self) -> None:
        """Count the changes of all calendars from the beginning again, as a restored database may."""
        with closing(sqlite3.connect(self.folder / "db.sqlite")) as base, base:
            columns = {row[1] for row in base.execute("PRAGMA table_info(calendars)")}
            base.execute(f"UPDATE calendars SET {'ctag' if 'ctag' in columns else 'synctoken'} = 1")
            base.execute("DELETE FROM calendarchanges")

    def set_password(self, user: str, password: str) -> None:
        (self.folder / f"password-{user}").write_text(password, encoding="utf-8")

    @staticmethod
    def home(user: str) -> str:
        return f"/calendars/{user}/"

    def hands(self, user: str) -> Hands:
        return SabreHands(self.url, user, PASSWORD)


def debian() -> str:
    """Return the autoloader of Debian's package, "" where it is not installed."""
    return PROGRAMS["sabre"].path() or ""


@contextmanager
def sabre(folder: Path, autoload: str) -> Iterator[Sabre]:
    """Run a server made of the library that an autoloader loads, over a folder."""
    php = shutil.which("php")
    assert php is not None, "sabre/dav needs php-cli and php-sqlite3"
    port = free_port()
    server = Sabre(f"http://127.0.0.1:{port}/", folder)
    with closing(sqlite3.connect(folder / "db.sqlite")) as base:
        base.executescript(TABLES + (CALENDARS_1 if version_of(php, autoload) < (2,) else CALENDARS_4))
    settings = [f"SABRE_AUTOLOAD={autoload}", f"SABRE_FOLDER={folder}"]
    options = ["-d", "display_errors=0", "-d", "log_errors=0", "-d", "date.timezone=UTC", "-S", f"127.0.0.1:{port}"]
    script = str(Path(__file__).with_name("sabre.php"))
    with running(["env", *settings, php, *options, "-t", str(folder), script], "started", port):
        yield server


def version_of(php: str, autoload: str) -> tuple[int, ...]:
    code = f"require {autoload!r}; echo Sabre\\DAV\\Version::VERSION;"
    told = subprocess.run([php, "-d", "display_errors=0", "-r", code], capture_output=True, text=True, check=True)
    return tuple(int(part) for part in told.stdout.split("."))
