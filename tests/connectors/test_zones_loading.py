"""The table of Windows zone names is loaded by whichever worker thread needs it first."""

import subprocess
import sys

# Two fresh threads: one loads the CalDAV library and with it icalendar, the other asks for a zone half way through.
RACE = """
import sys, threading
from connectors._zones import zone_named

sys.setswitchinterval(1e-6)
failures = []

def guarded(deed):
    try:
        deed()
    except BaseException as error:
        failures.append(repr(error))

def load():
    import caldav.davclient

def ask():
    while "icalendar" not in sys.modules and loader.is_alive():
        pass
    assert zone_named("Pacific SA Standard Time").key == "America/Santiago"

loader = threading.Thread(target=guarded, args=(load,))
asker = threading.Thread(target=guarded, args=(ask,))
loader.start(); asker.start(); loader.join(); asker.join()
print("\\n".join(failures))
"""


def test_a_zone_is_found_while_another_thread_is_half_through_loading_icalendar() -> None:
    found = [subprocess.run([sys.executable, "-c", RACE], capture_output=True, text=True, check=True) for _ in range(6)]
    assert [one.stdout.strip() for one in found] == [""] * 6
