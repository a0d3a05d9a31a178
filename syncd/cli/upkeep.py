"""Commands an operator looks after things with: backups, deliveries, tasks, subscriptions, passwords, feeds."""

import base64
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from syncd.cli.command import command, new_app
from syncd.cli.session import DONE, MISUSED, Session, print_json


def add_to(app: typer.Typer) -> None:
    command(app, "backup", example="syncd backup /var/backups/syncd-$(date +%F).db")(backup)
    command(app, "restore", example="syncd restore /var/backups/syncd-2026-12-01.db")(restore)
    command(app, "replay", example="syncd replay 5d1c9e")(replay)
    deliveries = new_app("The webhooks that were received.")
    command(deliveries, "list", example="syncd deliveries list --state dead")(delivery_list)
    command(deliveries, "show", example="syncd deliveries show 5d1c9e")(delivery_show)
    app.add_typer(deliveries, name="deliveries")
    tasks = new_app("What people have been asked to do.")
    command(tasks, "list", example="syncd tasks list --agent ana")(task_list)
    command(tasks, "done", example="syncd tasks done task:entry_deleted:3f2a:2")(task_done)
    app.add_typer(tasks, name="tasks")
    webhooks = new_app("Push subscriptions at the providers.")
    command(webhooks, "list", example="syncd webhooks list")(webhook_list)
    command(webhooks, "ensure", example="syncd webhooks ensure calendly")(webhook_ensure)
    command(webhooks, "remove", example="syncd webhooks remove calendly")(webhook_remove)
    app.add_typer(webhooks, name="webhooks")
    command(app, "auth", example="syncd auth google; syncd auth embedded --agent ana")(auth)
    links = new_app("Addresses that open something.")
    command(links, "feed", example="syncd links feed ana")(link_feed)
    command(links, "visit", example="syncd links visit 3f2a --renew")(link_visit)
    app.add_typer(links, name="links")


def backup(at: Session, file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the copy goes.")]) -> int:
    """Write a consistent copy of the store.

    Also while the daemon runs. The copy is readable by its owner alone.
    """
    from syncd.cli.copies import back_up

    return _told(at, back_up(at.config_file, file))


def restore(at: Session, file: Annotated[Path, typer.Argument(metavar="FILE", help="A copy made by backup.")]) -> int:
    """Put a backup in the place of the store.

    The daemon must not run. It starts in recovery and writes nothing until `syncd recover --finish`.
    """
    from syncd.cli.copies import bring_back

    return _told(at, bring_back(at.config_file, file))


def _told(at: Session, words: dict[str, Any]) -> int:
    if at.as_json:
        print_json(words)
    else:
        print(words["text"])
    return DONE


def replay(
    at: Session,
    delivery: Annotated[list[str], typer.Argument(metavar="DELIVERY…", help="Ids, as deliveries list shows.")],
) -> int:
    """Run stored deliveries again.

    What they name is read anew at its source, so this is safe by design.
    """
    return at.do("replay", _replayed, deliveries=delivery)


def _replayed(body: Any) -> None:
    for one in body["replayed"]:
        print(f"{one['delivery']}: {', '.join(' '.join(touch) for touch in one['touched']) or 'names nothing'}")


def delivery_list(
    at: Session,
    state: Annotated[str | None, typer.Option("--state", help="new, done, stale, conflict, unwanted, dead.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many.")] = 100,
) -> int:
    """List stored webhooks, the newest first."""
    from syncd.cli import pictures

    return at.do("deliveries.list", pictures.deliveries, state=state, limit=limit)


def delivery_show(at: Session, delivery: Annotated[str, typer.Argument(metavar="DELIVERY")]) -> int:
    """Show one stored webhook with its body."""
    from syncd.cli import pictures

    return at.do("deliveries.show", pictures.delivery, delivery=delivery)


def task_list(
    at: Session,
    agent: Annotated[str | None, typer.Option("--agent", help="Id, name or address.")] = None,
    state: Annotated[str, typer.Option("--state", help="open, done or all.")] = "open",
) -> int:
    """List what people have been asked to do."""
    from syncd.cli import pictures

    return at.do("tasks.list", pictures.tasks, agent=agent, state=state)


def task_done(at: Session, task: Annotated[str, typer.Argument(metavar="TASK", help="Its id.")]) -> int:
    """Tick off a task."""
    return at.do("tasks.done", lambda body: print(f"done: {body['id']}"), task=task)


def webhook_list(at: Session) -> int:
    """Ask the providers which subscriptions of ours they keep."""
    from syncd.cli import pictures

    return at.do("webhooks.list", pictures.webhooks)


def webhook_ensure(
    at: Session, account: Annotated[str | None, typer.Argument(metavar="[ACCOUNT]", help="Else every one.")] = None
) -> int:
    """Have subscriptions made where none lives."""
    from syncd.cli import pictures

    return at.do("webhooks.ensure", pictures.pushes, account=account)


def webhook_remove(at: Session, account: Annotated[str, typer.Argument(metavar="ACCOUNT")]) -> int:
    """Take our subscriptions at an account away; it is polled from then on."""
    from syncd.cli import pictures

    return at.do("webhooks.remove", lambda body: pictures.webhooks(body["removed"]), account=account)


def auth(
    at: Session,
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="An account, or: embedded.")],
    agent: Annotated[str | None, typer.Option("--agent", help="Of embedded: id, name or address.")] = None,
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read the password from stdin.")] = False,
) -> int:
    """Sign in at an account, or set an agent's password at the embedded CalDAV server.

    Google and Outlook show an address to open, or a code to type there; what comes of it is kept sealed.
    """
    if account != "embedded":
        return _sign_in(at, account)
    if agent is None:
        print("syncd: say whose password: --agent AGENT", file=sys.stderr)
        return MISUSED
    return _set_password(at, agent, password_stdin=password_stdin)


def _sign_in(at: Session, account: str) -> int:
    from syncd.wiring import signed_in

    token = signed_in(at.config_file, account, lambda words: print(words, file=sys.stderr, flush=True))
    told = base64.b64encode(token).decode()
    return at.do("auth.account", lambda body: print(f"{body['account']} is signed in"), account=account, token=told)


def _set_password(at: Session, agent: str, *, password_stdin: bool) -> int:
    if password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        password = str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    else:
        print("syncd: no terminal to ask for the password; use --password-stdin", file=sys.stderr)
        return MISUSED
    return at.do("auth.embedded", _signed_in, agent=agent, password=password)


def _signed_in(body: Any) -> None:
    print(f"{body['agent']} may sign in at {body['url']} as {body['user']}")


def link_feed(at: Session, agent: Annotated[str, typer.Argument(metavar="AGENT", help="Id, name or address.")]) -> int:
    """Print the address of an agent's own visits as a feed. Whoever has it can read them."""
    return at.do("links.feed", lambda body: print(body["url"]), agent=agent)


def link_visit(
    at: Session,
    visit: Annotated[str, typer.Argument(metavar="VISIT", help="Its id, or the beginning of it.")],
    renew: Annotated[bool, typer.Option("--renew", help="Make a new one; every older one then opens nothing.")] = False,
) -> int:
    """Print the address where the client confirms, moves or cancels a visit. Whoever has it can do so."""
    return at.do("links.visit", lambda body: print(body["url"]), visit=visit, renew=renew)
