"""The command line. It reads words, has an operation done where that is possible, and shows what came of it."""


def main() -> None:
    """Run one command and end the process with its exit code: what `syncd` does."""
    import logging
    import os
    import sys

    from syncd import log
    from syncd.cli.app import app

    log.setup(sys.stderr, json=False, level=logging.WARNING)  # `run` sets up its own
    os.umask(0o077)  # whatever is made, the embedded server's files as well, is for nobody else
    app(prog_name="syncd")
