"""The command line. It reads words, has an operation done where that is possible, and shows what came of it."""


def main() -> None:
    """Run one command and end the process with its exit code: what `syncd` does."""
    import os

    from syncd.cli.app import app

    os.umask(0o077)  # whatever is made, the embedded server's files as well, is for nobody else
    app(prog_name="syncd")
