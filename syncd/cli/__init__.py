"""The command line. It reads words, has an operation done where that is possible, and shows what came of it."""


def main() -> None:
    """Run one command and end the process with its exit code: what `syncd` does."""
    from syncd.cli.app import app

    app(prog_name="syncd")
