"""Commands about the service itself: run it, check its configuration and its health, play the demo."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from syncd.cli.command import command, new_app
from syncd.cli.session import DONE, FAILED, MISUSED, Session, print_json


def add_to(app: typer.Typer) -> None:
    command(app, "run", example="syncd run -c /etc/syncd/config.toml")(run)
    command(app, "check-config", example="syncd check-config --online")(check_config)
    command(app, "doctor", example="syncd doctor --json")(doctor)
    command(app, "status", example="syncd status")(status)
    config = new_app("The configuration as a format.")
    command(config, "schema", example="syncd config schema > syncd.schema.json")(schema)
    app.add_typer(config, name="config")
    command(app, "egress", example="syncd egress -c /etc/syncd/config.toml --listen /run/syncd-egress/proxy.sock")(
        egress
    )
    command(app, "demo", example="syncd demo --once")(demo)


def run(at: Session) -> int:
    """Run the daemon until it is told to stop.

    SIGTERM and SIGINT end it within ten seconds, SIGHUP has it read the configuration again. It logs to stderr: plain
    lines on a terminal, JSON elsewhere.
    """
    from syncd import daemon, log, wiring

    log.setup(sys.stderr)
    installation = wiring.install(at.config_file)
    return daemon.run(installation, installation.control_path)


def check_config(
    at: Session,
    online: Annotated[bool, typer.Option("--online", help="Also try every account and name its calendars.")] = False,
) -> int:
    """Say every problem of the configuration at once.

    Each with its line and what to write instead.
    """
    from syncd.cli import pictures
    from syncd.errors import ConfigError
    from syncd.wiring import checks, read_config

    file = at.config_file
    try:
        config = read_config(file)
    except ConfigError as error:
        if at.as_json:
            print_json({"ok": False, "problems": error.problems, "warnings": [], "checks": []})
        else:
            print("\n".join(error.problems))
        return MISUSED
    found = [(account, one) for account, one in checks(config, online=True)] if online else []
    failed = any(one.state == "fail" for _, one in found)
    rows = [
        {"account": account, "what": one.what, "state": one.state, "text": one.text, "remedy": one.remedy}
        for account, one in found
    ]
    if at.as_json:
        print_json({"ok": not failed, "problems": [], "warnings": list(config.warnings), "checks": rows})
        return FAILED if failed else DONE
    for warning in config.warnings:
        print(f"warning: {warning}")
    print(f"{file}: no problems")
    if online:
        pictures.checks(rows)
    return FAILED if failed else DONE


def doctor(at: Session) -> int:
    """Look everything over, each line with its remedy.

    Accounts, store, libraries, permissions, clock, reachability, subscriptions. Exit code 1 where something fails.
    """
    from syncd.cli import pictures
    from syncd.cli.examination import examine

    rows = examine(at.config_file)
    if at.as_json:
        print_json(rows)
    else:
        pictures.checks(rows)
    return FAILED if any(row["state"] == "fail" for row in rows) else DONE


def status(at: Session) -> int:
    """Show how fresh and how well everything is.

    Every source and account, what waits, what is wrong, and which agent may be booked or why not.
    """
    from syncd.cli import pictures

    answer = at.answer("status")
    if answer.code == DONE:
        answer.body["daemon"] = at.has_daemon()
    return at.show(answer, pictures.status)


def schema(at: Session) -> int:
    """Print the JSON Schema of the configuration, for editors."""
    from syncd.wiring import config_schema

    print_json(config_schema())
    return DONE


def egress(
    at: Session,
    listen: Annotated[
        Path | None, typer.Option("--listen", metavar="PATH", help="A UNIX socket; else the one that systemd passes.")
    ] = None,
    allow: Annotated[
        list[str] | None, typer.Option("--allow", metavar="HOST:PORT", help="A further place; repeatable.")
    ] = None,
) -> int:
    """Run the broker of the hardened installation.

    It opens tunnels to the accounts' hosts and to nothing else; the daemon then needs no way out of its own.
    """
    from syncd import egress as broker

    words = ["--config", str(at.config_file), *(word for one in allow or [] for word in ("--allow", one))]
    return broker.main([*words, "--listen", str(listen)] if listen is not None else words)


def demo(
    at: Session,
    once: Annotated[bool, typer.Option("--once", help="End when everything is quiet and checked.")] = False,
) -> int:
    """Play a morning of bookings on this machine.

    Real processes on loopback, every claim checked from outside.
    """
    from syncd.demo import run as play

    return play(once=once)
