"""Puts everything together. Other floors see only what is named here."""

from syncd.wiring.examination import checks, signed_in
from syncd.wiring.fork import urllib3_check
from syncd.wiring.installation import Installation, fixed, inspect, install
from syncd.wiring.logins import INSIDER, Logins, environment
from syncd.wiring.reading import config_schema, read_config

__all__ = [
    "INSIDER",
    "Installation",
    "Logins",
    "checks",
    "config_schema",
    "environment",
    "fixed",
    "inspect",
    "install",
    "read_config",
    "signed_in",
    "urllib3_check",
]
