"""G10: the processor time of an unchanged poll of an Outlook calendar, against bare requests asking the same question.

Both sides ask a server of this machine for the same empty delta page over a kept connection and read its JSON. The
server is a process of its own, so that only the asking side counts; rounds take turns.
"""

import json
import statistics
import subprocess
import sys
import time

import requests

from bench.ratio import Ratio
from tests.connectors.outlook_stage import ANA, Desk, environment

POLLS, ROUNDS = 200, 9
SERVER = """
import json, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
ABOUT = {"authorization_endpoint": "https://127.0.0.1:PORT/t/a", "token_endpoint": "https://127.0.0.1:PORT/t/token",
         "issuer": "https://127.0.0.1:PORT/t"}
class Door(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        port = str(self.server.server_address[1])
        if "openid-configuration" in self.path:
            told = json.loads(json.dumps(ABOUT).replace("PORT", port))
        elif "token" in self.path and "delta" not in self.path:
            told = {"access_token": "t", "expires_in": 3600, "token_type": "Bearer"}
        else:
            place = f"http://127.0.0.1:{port}/v1.0/users/ana/calendarView/delta?$deltatoken=" + "a" * 400
            told = {"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#Collection(event)", "value": [],
                    "@odata.deltaLink": place}
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_GET = do_POST = answer
    def log_message(self, *args): pass
server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


def run() -> list[Ratio]:
    process = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        return [Ratio("G10 outlook quiet poll CPU", _measured(int(process.stdout.readline())), 1.25, at_least=False)]
    finally:
        process.terminate()
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()


def _measured(port: int) -> float:
    ours, bare = _ours(port), _bare(port)
    ours.poll()
    bare.poll()
    ratios = []
    for _ in range(ROUNDS):
        mine, theirs = ours.cost(), bare.cost()
        ratios.append(mine / theirs)
        print(f"  ours {mine / POLLS * 1e3:.3f} ms a poll, bare requests {theirs / POLLS * 1e3:.3f} ms", flush=True)
    return statistics.median(ratios)


class _Side:
    def poll(self) -> None:
        raise NotImplementedError

    def cost(self) -> float:
        start = time.thread_time()
        for _ in range(POLLS):
            self.poll()
        return time.thread_time() - start


class _ours(_Side):  # noqa: N801 - a side of the measurement
    """Our connector, from its cursor, as the pull flow asks it."""

    def __init__(self, port: int) -> None:
        from connectors.outlook import OutlookSettings
        from syncd.core.ids import AccountId
        from tests.connectors.outlook_stage import WINDOW

        url = f"http://127.0.0.1:{port}"
        written = {"client_id": "c", "tenant": "t", "client_secret": "s", "authority": url, "api_url": f"{url}/v1.0"}
        desk = Desk(None, environment(), OutlookSettings.model_validate(written), AccountId("bench"))  # type: ignore[arg-type]
        self.calendar, self.window = desk.calendar(ANA), WINDOW
        self.cursor = list(self.calendar.changes(None, WINDOW, {}))[-1].cursor

    def poll(self) -> None:
        self.cursor = list(self.calendar.changes(self.cursor, self.window))[-1].cursor


class _bare(_Side):  # noqa: N801 - the other one
    """A session of requests that does nothing but ask and read."""

    def __init__(self, port: int) -> None:
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers.update({"Authorization": "Bearer t", "Prefer": 'IdType="ImmutableId"'})
        self.link = f"http://127.0.0.1:{port}/v1.0/users/ana/calendarView/delta?$deltatoken=" + "a" * 400

    def poll(self) -> None:
        self.link = json.loads(self.session.get(self.link, timeout=10).content)["@odata.deltaLink"]
