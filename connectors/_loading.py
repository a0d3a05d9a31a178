"""Imports heavy libraries on first use, one thread at a time.

Two threads that import parts of one package at the same moment can see each other's half-made modules: Python lets one
go on rather than let both wait for ever.
"""

import importlib
import threading
from typing import Any

_ONE = threading.RLock()


def loaded(*names: str) -> Any:
    """Import modules in this order and return the last one; whoever comes meanwhile waits."""
    with _ONE:
        modules = [importlib.import_module(name) for name in names]
    return modules[-1]
