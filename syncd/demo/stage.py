"""The processes of the demo: the daemon, a practice scheduler, a CalDAV server of somebody else. All on loopback,
all ended at the end."""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests

from syncd.demo.telling import Failed, Teller

Json = dict[str, Any]
EMBEDDED = ("ana", "bruno", "carla")  # agents on the embedded CalDAV server
OFFICE = "diego"  # the agent on a CalDAV server of his own
ZONE = "America/Santiago"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Stage:
    """Starts everything in order on entering and stops it on leaving; the daemon can be killed and started again."""

    def __init__(self, teller: Teller) -> None:
        self._teller = teller
        self.home = Path(tempfile.mkdtemp(prefix="syncd-demo-"))
        self.url = f"http://127.0.0.1:{free_port()}"
        self.office_url = f"http://127.0.0.1:{free_port()}"
        self.api_token = secrets.token_urlsafe(24)
        self.password = secrets.token_urlsafe(12)
        self.scheduler: Json = {}
        self.event_types: dict[str, str] = {}
        self.users: dict[str, str] = {}
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        self._teller.say("Starting a CalDAV server, a scheduler and the daemon, each in its own process …")
        try:
            self._start_office()
            self._start_scheduler()
            self._write_configuration()
            self._set_passwords()
            self.start_daemon()
        except BaseException:
            self._stop_all()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop_all()

    # the peers

    def _start_office(self) -> None:
        port = self.office_url.rsplit(":", 1)[1]
        options = ["--server-hosts", f"127.0.0.1:{port}", "--auth-type", "none", "--rights-type", "authenticated"]
        storage = ["--storage-filesystem-folder", str(self.home / "office"), "--logging-level", "error"]
        self._spawn("office", [sys.executable, "-m", "radicale", "--config", "", *options, *storage])
        self._answers(self.office_url)
        made = requests.request("MKCALENDAR", f"{self.office_url}/{OFFICE}/agenda/", auth=(OFFICE, "x"), timeout=10)
        if made.status_code != 201:
            raise Failed(f"the office's CalDAV server made no calendar: {made.status_code}")

    def _start_scheduler(self) -> None:
        token = secrets.token_urlsafe(16)
        command = [sys.executable, "-m", "syncd.practice_calendly", "--token", token]
        process = self._spawn("scheduler", command, stdout=subprocess.PIPE)
        if process.stdout is None:
            raise Failed("the scheduler has no output")
        self.scheduler = json.loads(process.stdout.readline()) | {"token": token, "key": secrets.token_urlsafe(32)}
        for agent in (*EMBEDDED, OFFICE):
            made = self.steer("users", name=agent.capitalize(), email=f"{agent}@inmobiliaria.example")
            self.users[agent] = made["uri"]
        for role, name, minutes in KINDS:
            questions = ["Indique el número de su propiedad"]
            hosts = list(self.users.values())
            made = self.steer("event_types", name=name, minutes=minutes, hosts=hosts, after=10, questions=questions)
            self.event_types[role] = made["uri"]

    def steer(self, act: str, **body: Any) -> Json:
        """Do something at the practice scheduler's side door, as its clients and hosts would."""
        answer = requests.post(f"{self.scheduler['url']}/_practice/{act}", json=body, timeout=40)
        if answer.status_code != 200:
            raise Failed(f"the scheduler refused {act}: {answer.text[:200]}")
        return dict(answer.json())

    # the daemon

    @property
    def config(self) -> Path:
        return self.home / "config.toml"

    def _write_configuration(self) -> None:
        links = "\n".join(f'{role} = "{uri}"' for role, uri in self.event_types.items())
        self.config.write_text(
            CONFIGURATION.format(
                url=self.url,
                listen=self.url.removeprefix("http://"),
                state=self.home / "state",
                api_token=self.api_token,
                scheduler=self.scheduler["url"],
                scheduler_token=self.scheduler["token"],
                key=self.scheduler["key"],
                office=self.office_url,
                links=links,
            )
        )

    def _set_passwords(self) -> None:
        for agent in EMBEDDED:
            self.syncd("auth", "embedded", "--agent", agent, "--password-stdin", stdin=self.password)

    def syncd(self, *words: str, stdin: str = "") -> str:
        """Run a syncd command as an administrator would, and return what it prints."""
        done = subprocess.run(
            [sys.executable, "-m", "syncd.cli", "-c", str(self.config), *words],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode not in (0, 3):
            raise Failed(f"syncd {' '.join(words)} ended with {done.returncode}: {done.stderr[-500:]}")
        return done.stdout

    def start_daemon(self) -> None:
        self._spawn("daemon", [sys.executable, "-m", "syncd.cli", "-c", str(self.config), "run"])
        self._answers(f"{self.url}/readyz")

    def kill_daemon(self) -> None:
        """kill -9: no farewell, no flushing."""
        daemon = self._running.pop("daemon")
        daemon.send_signal(signal.SIGKILL)
        daemon.wait(10)

    def api(self, method: str, path: str, **body: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.api_token}"}
        return requests.request(method, f"{self.url}{path}", headers=headers, json=body or None, timeout=30)

    # beginning and end

    def _spawn(self, name: str, command: list[str], stdout: int | None = None) -> subprocess.Popen[bytes]:
        log = (self.home / f"{name}.log").open("ab")
        process = subprocess.Popen(command, stdout=log if stdout is None else stdout, stderr=log, env=dict(os.environ))
        self._running[name] = process
        return process

    def _answers(self, url: str) -> None:
        waiter = threading.Event()
        for _ in range(300):
            for name, process in self._running.items():
                if process.poll() is not None:
                    raise Failed(f"{name} ended at once: {(self.home / f'{name}.log').read_text()[-800:]}")
            try:
                if requests.get(url, timeout=2).status_code < 500:
                    return
            except requests.RequestException:
                pass
            waiter.wait(0.1)
        raise Failed(f"{url} did not answer within 30 s\n{self.log_tail()}")

    def log_tail(self) -> str:
        log = self.home / "daemon.log"
        return log.read_text()[-3000:] if log.exists() else "(none)"

    def addresses(self) -> list[tuple[str, str]]:
        """What a person may open now."""
        return [
            ("Daemon", f"{self.url}/"),
            ("Booking page of Torre Sur", f"{self.url}/b/torre"),
            ("API description", f"{self.url}/api/openapi.json"),
            ("Health and readiness", f"{self.url}/readyz"),
            ("Ana's calendar (CalDAV)", f"{self.url}/dav/ana/visits/   user ana, password {self.password}"),
            ("Diego's calendar (his own server)", f"{self.office_url}/{OFFICE}/agenda/   user diego, any password"),
            ("API token", self.api_token),
            ("Command line", f"{Path(sys.executable).parent}/syncd -c {self.config} status"),
        ]

    def wait_for_goodbye(self) -> None:
        goodbye = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: goodbye.set())
        goodbye.wait()

    def _stop_all(self) -> None:
        for process in reversed(self._running.values()):
            process.terminate()
        for process in self._running.values():
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.home, ignore_errors=True)


KINDS = (
    ("standard", "Visita Casas PlanOK", 20),
    ("urgent", "Visita urgente Casas PlanOK", 30),
    ("long", "Visita larga Casas PlanOK", 60),
    ("out_of_warranty", "Visita fuera de garantia Casas PlanOK", 30),
)

CONFIGURATION = """\
[daemon]
public_url = "{url}"
listen = "{listen}"
state_dir = "{state}"
time_zone = "America/Santiago"
locale = "es_CL"

[sync]
poll_every = "2s"
on_conflict = ["reassign", "flag"]

[embedded_caldav]
enabled = true

[api]
tokens = {{ demo = "{api_token}" }}

[accounts.calendly]
kind = "calendly"
api_url = "{scheduler}"
token = "{scheduler_token}"
signing_keys = ["{key}"]

[accounts.office]
kind = "caldav"
url = "{office}/"
username = "diego"
password = "x"

[[agents]]
id = "ana"
name = "Ana Soto"
email = "ana@inmobiliaria.example"
hours = "oficina"
calendars = [{{ account = "embedded", calendar = "ana/visits", role = "publish" }}]

[[agents]]
id = "bruno"
name = "Bruno Rojas"
email = "bruno@inmobiliaria.example"
hours = "oficina"
calendars = [{{ account = "embedded", calendar = "bruno/visits", role = "publish" }}]

[[agents]]
id = "carla"
name = "Carla Vidal"
email = "carla@inmobiliaria.example"
hours = "oficina"
calendars = [{{ account = "embedded", calendar = "carla/visits", role = "publish" }}]

[[agents]]
id = "diego"
name = "Diego Pinto"
email = "diego@inmobiliaria.example"
hours = "oficina"
calendars = [{{ account = "office", calendar = "diego/agenda", role = "publish" }}]

[hours.oficina]
weekly.mon = ["09:00-18:00"]
weekly.tue = ["09:00-18:00"]
weekly.wed = ["09:00-18:00"]
weekly.thu = ["09:00-18:00"]
weekly.fri = ["09:00-18:00"]

[event_types.visita]
name = "Visita"
duration = "20m"
buffer_after = "10m"
minimum_notice = "12h"
same_day = false
window = "30 business days"
title = "Visita {{{{ proyecto }}}} - {{{{ respuesta_1 }}}}"
questions = [{{ text = "Indique el número de su propiedad", required = true }}]

[event_types.urgente]
name = "Visita urgente"
duration = "30m"
title = "URGENTE {{{{ proyecto }}}} - {{{{ respuesta_1 }}}}"

[event_types.larga]
name = "Visita larga"
duration = "60m"
title = "Visita larga {{{{ proyecto }}}} - {{{{ respuesta_1 }}}}"

[event_types.fuera]
name = "Visita fuera de garantía"
duration = "30m"
minimum_notice = "48h"
title = "Fuera de garantía {{{{ proyecto }}}} - {{{{ respuesta_1 }}}}"

[projects.casas]
name = "Casas PlanOK"
aliases = ["Casas Plan OK"]
address = "Av. Siempre Viva 742, Santiago"
team = ["ana", "bruno", "carla", "diego"]
event_types = {{ standard = "visita", urgent = "urgente", long = "larga", out_of_warranty = "fuera" }}

[projects.casas.scheduler]
account = "calendly"
{links}

[projects.torre]
name = "Torre Sur"
address = "Av. del Mar 1200, Viña del Mar"
team = ["ana", "bruno", "carla"]
responsible = "carla"
event_types = {{ standard = "visita" }}
public_page = true
facts = [{{ label = "Entrega", value = "2027" }}]
"""
