"""Who wants no messages: an address or a number is noted, and forgotten again. Knows no contact: an address that nobody
has yet can be noted as well."""

from datetime import datetime

from syncd.core.letter import e164
from syncd.flows.context import Context
from syncd.identity import email_key, read_phone
from syncd.ports import Wish
from syncd.store import Tx


def address_key(text: str) -> str:
    """Return the form in which an address or a number is compared; it is also what messages are matched by."""
    return email_key(text) or text


def read_email_address(text: str) -> str:
    """Return an address as it is compared; raises ValueError."""
    found = email_key(text)
    if found is None:
        raise ValueError("must be an e-mail address")
    return found


def read_number(ctx: Context, text: str) -> str:
    """Return a number in E.164, read where the installation is; raises ValueError."""
    found = e164(read_phone(text, ctx.directory.region))
    if found is None:
        raise ValueError("must be a telephone number with its country, such as +56 9 1234 5678")
    return found


def note_wish(tx: Tx, wish: Wish, now: datetime) -> None:
    """Note what somebody wrote from a number, for the channel they wrote over."""
    if wish.wants_none:
        tx.outbox.opt_out(wish.number, now, wish.channel.value)
    else:
        tx.outbox.opt_in(wish.number, wish.channel.value)


def note_opt_out(ctx: Context, key: str, *, undo: bool = False) -> dict[str, object]:
    """Note that no message goes to an address or number any more, over any channel, or that they may again."""
    now = ctx.clock.now()
    ctx.store.write(lambda tx: tx.outbox.opt_in(key) if undo else tx.outbox.opt_out(key, now))
    return {"address": key, "opted_out": not undo}
