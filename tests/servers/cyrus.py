"""Cyrus as processes: the strictest CalDAV server we know, and the one behind Fastmail. Debian's cyrus-caldav.

Cyrus refuses to serve as root, so root lends it the package's own user; it makes no calendars for a user without an
INBOX, so one is made over IMAP. One UID may stand once in all calendars of a user: each calendar gets its own user.
"""

import imaplib
import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.programs import PROGRAMS
from tests.servers.dav import Hands
from tests.servers.process import free_port, running

PASSWORD = "contraseña: 7"
ADMIN = "admin"
REALM = "localhost"

SETTINGS = """\
configdirectory: {folder}/state
defaultpartition: default
partition-default: {folder}/mail
cyrus_user: {user}
servername: {realm}
admins: {admin}
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {folder}/logins
sasl_mech_list: PLAIN
allowplaintext: yes
unixhierarchysep: yes
altnamespace: yes
httpmodules: caldav
caldav_create_default: no
caldav_create_attach: no
"""

SERVICES = """\
START {{
  recover cmd="ctl_cyrusdb -C {folder}/imapd.conf -r"
}}
SERVICES {{
  imap cmd="imapd -C {folder}/imapd.conf" listen="127.0.0.1:{imap}" prefork=0
  http cmd="httpd -C {folder}/imapd.conf" listen="127.0.0.1:{http}" prefork=1
}}
"""


@dataclass(slots=True)
class Cyrus:
    """A running server."""

    url: str
    folder: Path
    imap: int
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def new_user(self) -> str:
        """Make a user with a home and no calendar yet; the password is PASSWORD."""
        name = f"ana{next(self.numbers)}"
        self.set_password(name, PASSWORD)
        mail = imaplib.IMAP4("127.0.0.1", self.imap)
        try:
            mail.login(ADMIN, ADMIN)
            said, text = mail.create(f"user/{name}")
            assert said == "OK", text
        finally:
            mail.logout()
        return name

    def set_password(self, user: str, password: str) -> None:
        self.run("saslpasswd2", "-f", f"{self.folder}/logins", "-p", "-c", "-u", REALM, user, told=password)

    def forget(self) -> None:
        """Drop what was deleted for good, as the nightly job does: tokens from before that are dead."""
        self.run("/usr/lib/cyrus/bin/cyr_expire", "-C", f"{self.folder}/imapd.conf", "-E", "0", "-X", "0", "-D", "0")

    @staticmethod
    def home(user: str) -> str:
        return f"/dav/calendars/user/{user}/"

    def hands(self, user: str) -> Hands:
        return Hands(self.url, user, PASSWORD)

    def run(self, *command: str, told: str = "") -> None:
        subprocess.run([*as_cyrus(), *command], input=told, text=True, check=True, capture_output=True, timeout=60)


def as_cyrus() -> list[str]:
    """Return what comes before a command so that it does not run as root."""
    return ["setpriv", "--reuid=cyrus", "--regid=mail", "--clear-groups"] if os.geteuid() == 0 else []


def master() -> str:
    found = PROGRAMS["cyrus"].path()
    assert found is not None
    return str(Path(found).with_name("master"))


@contextmanager
def cyrus() -> Iterator[Cyrus]:
    """Run Cyrus in a folder of its own, which its user can reach and which goes away with it."""
    folder = Path(tempfile.mkdtemp(prefix="cyrus-"))
    try:
        imap, http = free_port(), free_port()
        user = "cyrus" if os.geteuid() == 0 else str(os.environ.get("USER", "cyrus"))
        told = {"folder": folder, "user": user, "realm": REALM, "admin": ADMIN, "imap": imap, "http": http}
        (folder / "imapd.conf").write_text(SETTINGS.format(**told))
        (folder / "cyrus.conf").write_text(SERVICES.format(**told))
        for name in ("state", "mail", *(f"state/{one}" for one in ("db", "lock", "log", "proc", "socket", "user"))):
            (folder / name).mkdir()
        if os.geteuid() == 0:
            for place in (folder, *folder.rglob("*")):
                shutil.chown(place, "cyrus", "mail")
        server = Cyrus(f"http://127.0.0.1:{http}/", folder, imap)
        server.set_password(ADMIN, ADMIN)
        # Cyrus says nothing on its own output; that it is there shows at its port.
        speaking = ["/bin/sh", "-c", 'echo starting; exec "$@"', "cyrus"]
        files = ["-C", f"{folder}/imapd.conf", "-M", f"{folder}/cyrus.conf", "-p", f"{folder}/master.pid", "-D"]
        with running([*speaking, *as_cyrus(), master(), *files], "starting", http):
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)
