"""Runs the practice scheduler as a process of its own: `python -m syncd.practice_calendly --port 8430 --token secret`.

Prints one line of JSON (url, organization, owner) once it listens, and stops on SIGTERM or SIGINT.
"""

import argparse
import json
import signal
import sys
import threading

from syncd.clock import SystemClock
from syncd.practice_calendly.company import Company
from syncd.practice_calendly.serve import PracticeServer


def main() -> int:
    parser = argparse.ArgumentParser(prog="practice_calendly", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--token", required=True, help="the owner's personal access token")
    parser.add_argument("--email", default="oficina@example.com", help="the owner's address")
    asked = parser.parse_args()
    company = Company(SystemClock())
    owner = company.add_user("Oficina", asked.email, role="owner", token=asked.token)
    server = PracticeServer(company, port=asked.port).start()
    print(json.dumps({"url": server.url, "organization": company.organization, "owner": owner}), flush=True)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    stop.wait()
    server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
