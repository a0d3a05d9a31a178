"""Contacts, what they are known by, and inquiries. Does not judge whose contact somebody is."""

from collections.abc import Iterable, Sequence
from typing import Any

from syncd.core.contacts import ContactState, Identifier, IdentifierKind, Inquiry, InquiryState, KnownContact
from syncd.core.ids import AgentId, ContactId, InquiryId, VisitId
from syncd.store import rows
from syncd.store.engine import Db, Row, first


class People:
    """The contacts and inquiries of one transaction."""

    def __init__(self, db: Db) -> None:
        self._db = db

    def find(self, contact: ContactId) -> KnownContact | None:
        found = first(self._db.rows("contact_get", id=contact))
        if found is None:
            return None
        return _contact_of(found, self._db.rows("identifiers_of_contact", contact=contact))

    def known_by(self, identifiers: Iterable[Identifier]) -> list[KnownContact]:
        """List the contacts that have one of these identifiers, whatever their state, by id."""
        wanted = [self._db.rows("contacts_known_by", kind=one.kind.value, value=one.value) for one in identifiers]
        ids = sorted({ContactId(row["contact_id"]) for found in wanted for row in found})
        return [known for known in map(self.find, ids) if known is not None]

    def put(self, contact: KnownContact) -> None:
        """Insert a contact, or change its name, owner and state; identifiers are only ever added."""
        self._db.run("contact_put", **_contact_values(contact))
        self.add(contact.id, contact.identifiers)

    def add(self, contact: ContactId, identifiers: Iterable[Identifier]) -> None:
        """Let a contact be known by further identifiers; repeating it is harmless."""
        for one in sorted(identifiers):
            self._db.run("identifier_add", contact=contact, kind=one.kind.value, value=one.value)

    def put_inquiry(self, inquiry: Inquiry) -> None:
        self._db.run("inquiry_put", **_inquiry_values(inquiry))

    def inquiries(
        self,
        *,
        agent: AgentId | None = None,
        states: Sequence[InquiryState] = tuple(InquiryState),
        after: InquiryId | None = None,
        limit: int = 200,
    ) -> list[Inquiry]:
        """List inquiries, the oldest first; `after` continues behind that one, and raises KeyError if it is none."""
        wanted = {"states": sorted(one.value for one in states), "most": limit, **self._place(after)}
        if agent is None:
            return [_inquiry_of(row) for row in self._db.rows("inquiry_list", **wanted)]
        return [_inquiry_of(row) for row in self._db.rows("inquiry_list_of_agent", agent=agent, **wanted)]

    def _place(self, after: InquiryId | None) -> dict[str, int | str]:
        if after is None:
            return {"after_at": -1, "after_id": ""}
        found = first(self._db.rows("inquiry_get", id=after))
        if found is None:
            raise KeyError(after)
        return {"after_at": found["made_at"], "after_id": after}


def _contact_values(contact: KnownContact) -> dict[str, Any]:
    return {
        "id": contact.id,
        "name": contact.name,
        "owner": contact.owner,
        "state": contact.state.value,
        "made_at": rows.seconds(contact.made_at),
    }


def _contact_of(row: Row, known_by: Sequence[Row]) -> KnownContact:
    return KnownContact(
        id=ContactId(row["id"]),
        name=row["name"],
        identifiers=frozenset(Identifier(kind=IdentifierKind(one["kind"]), value=one["value"]) for one in known_by),
        owner=row["owner"],
        state=ContactState(row["state"]),
        made_at=rows.moment(row["made_at"]),
    )


def _inquiry_values(inquiry: Inquiry) -> dict[str, Any]:
    return {
        "id": inquiry.id,
        "contact_id": inquiry.contact,
        "visit_id": inquiry.visit,
        "agent_id": inquiry.agent,
        "state": inquiry.state.value,
        "why": inquiry.why,
        "made_at": rows.seconds(inquiry.made_at),
    }


def _inquiry_of(row: Row) -> Inquiry:
    return Inquiry(
        id=InquiryId(row["id"]),
        contact=ContactId(row["contact_id"]),
        visit=VisitId(row["visit_id"]),
        agent=row["agent_id"],
        state=InquiryState(row["state"]),
        why=row["why"],
        made_at=rows.moment(row["made_at"]),
    )
