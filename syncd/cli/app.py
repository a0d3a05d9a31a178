"""Every command, by name. Importing this imports no part of the program but the words of the command line."""

from typing import Annotated

import typer

from syncd import __version__
from syncd.cli import agreement, people, service, upkeep, visits
from syncd.cli.command import ConfigOption, JsonOption, new_app

app = new_app("syncd keeps the visits of a real-estate company and its agents' calendars in step.", completion=True)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"syncd {__version__}")
        raise typer.Exit(0)


@app.callback()
def everything(
    config: ConfigOption = None,
    as_json: JsonOption = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Keep the visits of a real-estate company and its agents' calendars in step.

    Exit codes: 0 done, 1 failed, 2 configuration or usage, 75 another process holds the store.
    """


for room in (service, agreement, visits, people, upkeep):
    room.add_to(app)
