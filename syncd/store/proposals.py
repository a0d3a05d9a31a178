"""Proposals and the windows that clients named. Does not judge what may become of them."""

import json
from typing import Any

from syncd.core.ids import ProposalId, VisitId
from syncd.core.proposals import Proposal, ProposalState
from syncd.store import codec, rows
from syncd.store.engine import Db, Row, first

COLUMNS = frozenset(("id", "state", "visit", "made_at", "expires_at"))


class Proposals:
    """The proposals of one transaction."""

    def __init__(self, db: Db) -> None:
        self._db = db

    def find(self, proposal: ProposalId) -> Proposal | None:
        found = first(self._db.rows("proposal_get", id=proposal))
        return _proposal_of(found) if found is not None else None

    def named(self, name: str) -> Proposal | None:
        """Return the proposal that was put under a name of its maker's, None where there is none."""
        found = first(self._db.rows("proposal_named", name=name))
        return _proposal_of(found) if found is not None else None

    def put(self, proposal: Proposal, name: str | None = None) -> None:
        """Keep a new proposal, under a name that nobody used before."""
        self._db.run("proposal_put", name=name, made_at=rows.seconds(proposal.made_at), **_values(proposal))

    def save(self, proposal: Proposal) -> None:
        """Keep what became of a proposal; raises KeyError for one that was never put."""
        if not self._db.run("proposal_save", **_values(proposal)):
            raise KeyError(proposal.id)


def _values(proposal: Proposal) -> dict[str, Any]:
    return {
        "id": proposal.id,
        "state": proposal.state.value,
        "visit_id": proposal.visit,
        "expires_at": rows.seconds_up(proposal.expires_at),
        "details": rows.text(codec.encode_fields(proposal, COLUMNS)),
    }


def _proposal_of(row: Row) -> Proposal:
    return Proposal(
        id=ProposalId(row["id"]),
        state=ProposalState(row["state"]),
        visit=None if row["visit_id"] is None else VisitId(row["visit_id"]),
        made_at=rows.moment(row["made_at"]),
        expires_at=rows.moment(row["expires_at"]),
        **codec.decode_fields(Proposal, json.loads(row["details"])),
    )
