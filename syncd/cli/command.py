"""How a command is declared: its words, the options all of them share, its example, and what its errors become."""

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from syncd.cli.session import BUSY, FAILED, MISUSED, Session
from syncd.errors import ConfigError, StoreBusy, SyncdError

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="Configuration; else $SYNCD_CONFIG, ./config.toml, /etc/syncd/config.toml.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]

SHARED = [
    inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context),
    inspect.Parameter("config", inspect.Parameter.KEYWORD_ONLY, annotation=ConfigOption, default=None),
    inspect.Parameter("as_json", inspect.Parameter.KEYWORD_ONLY, annotation=JsonOption, default=False),
]

Deed = Callable[..., int]


def new_app(purpose: str, *, completion: bool = False) -> typer.Typer:
    """Make an empty group of commands."""
    return typer.Typer(
        help=purpose,
        no_args_is_help=True,
        rich_markup_mode=None,  # rich takes longer to import than most commands to run
        pretty_exceptions_enable=False,
        add_completion=completion,
    )


def command(app: typer.Typer, name: str, *, example: str) -> Callable[[Deed], Deed]:
    """Declare a command. Its function takes a Session first, then its own words, and returns the exit code."""

    def declare(deed: Deed) -> Deed:
        def run(*, ctx: typer.Context, config: Path | None, as_json: bool, **words: Any) -> None:
            root = ctx.find_root().params  # -c and --json may stand before the command's name as well
            session = Session(config or root.get("config"), as_json=as_json or bool(root.get("as_json")))
            raise typer.Exit(guarded(lambda: deed(session, **words)))

        own = list(inspect.signature(deed).parameters.values())[1:]
        keywords = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own]
        vars(run)["__signature__"] = inspect.Signature([*keywords, *SHARED])
        run.__annotations__ = {one.name: one.annotation for one in [*own, *SHARED]}
        app.command(name, help=deed.__doc__, epilog=f"Example: {example}")(run)
        return deed

    return declare


def guarded(deed: Callable[[], int]) -> int:
    """Do something; what is expected to go wrong becomes a sentence on stderr and an exit code, never a traceback."""
    try:
        return deed()
    except ConfigError as error:
        return _say(error.problems, MISUSED)
    except StoreBusy as error:
        return _say([str(error)], BUSY)
    except (SyncdError, OSError) as error:
        if isinstance(error, BrokenPipeError):
            raise  # the reader has seen enough; the framework ends quietly
        return _say([str(error)], FAILED)


def _say(lines: list[str], code: int) -> int:
    for line in lines:
        print(f"syncd: {line}", file=sys.stderr)
    return code
