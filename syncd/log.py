"""Temporary: the real one is being written."""

import logging

log = logging.getLogger("syncd")
