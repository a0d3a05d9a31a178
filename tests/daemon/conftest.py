"""The daemon is tested on the same small company as the command line."""

from tests.cli.conftest import office

__all__ = ["office"]
