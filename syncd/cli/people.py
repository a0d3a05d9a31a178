"""Commands about people: contacts and the inquiries that new ones begin with."""

from typing import Annotated

import typer

from syncd.cli.command import command, new_app
from syncd.cli.session import Session


def add_to(app: typer.Typer) -> None:
    contacts = new_app("Who visits are for.")
    command(contacts, "show", example="syncd contacts show 3f2a5c0e9b1d4a7f8e6c2b0d1a3f5e7c")(shown)
    app.add_typer(contacts, name="contacts")
    inquiries = new_app("Contacts who were not known before, and who looks after them.")
    command(inquiries, "list", example="syncd inquiries list --agent ana")(listed)
    app.add_typer(inquiries, name="inquiries")


def shown(at: Session, contact: Annotated[str, typer.Argument(metavar="CONTACT", help="Its id.")]) -> int:
    """Show one contact: what it is known by and who looks after it."""
    from syncd.cli import pictures

    return at.do("contacts.show", pictures.contact, contact=contact)


def listed(
    at: Session,
    agent: Annotated[str | None, typer.Option("--agent", help="Id, name or address.")] = None,
    state: Annotated[list[str] | None, typer.Option("--state", help="worked, open; repeatable.")] = None,
) -> int:
    """List inquiries, the oldest first."""
    from syncd.cli import pictures

    return at.do("inquiries.list", pictures.inquiries, agent=agent, state=state or [])
