"""What an account's answer says of its health: it is well again, and whoever was alarmed hears so once."""

from dataclasses import replace
from datetime import datetime, timedelta

from syncd.core.ids import AccountId
from syncd.flows.say import recovered
from syncd.store import Tx

NOTED_EVERY = timedelta(seconds=30)  # an account's last success, for `status`


def note_answer(tx: Tx, account: AccountId, now: datetime) -> None:
    """Note that an account answered as it should; what was wrong with it is over."""
    state = tx.accounts.state(account)
    ailing = bool(state.failures or state.parked or state.error)
    if ailing or state.last_success is None or now - state.last_success > NOTED_EVERY:
        cleared = replace(state, failures=0, failing_since=None, not_before=None, parked="", error="", last_success=now)
        tx.accounts.save_state(cleared)
    for kind in ("account_down", "sign_in") if ailing else ():
        recovered(tx, kind, account, now)
