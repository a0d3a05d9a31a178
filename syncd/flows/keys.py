"""How work is named, and small look-ups over the directory that several flows need."""

from syncd.core.directory import Directory, Project
from syncd.core.ids import AccountId, VisitId
from syncd.core.publish import EventKey


def booking_key(account: AccountId, booking: str) -> str:
    return f"{account}|{booking}"


def split_booking_key(key: str) -> tuple[AccountId, str]:
    account, _, booking = key.partition("|")
    return AccountId(account), booking


def entry_gone(visit: VisitId) -> str:
    """Name the memory that a scheduler's own entry vanished and its booking is yet to be read again."""
    return f"entry_gone:{visit}"


def listed_after(key: EventKey) -> str:
    """Name the memory of when an entry was missed: its loss counts once a complete listing after that misses it too."""
    return f"missed:{key}"


def awaited_entry(visit: VisitId) -> str:
    """Name the memory of which scheduler's entry is awaited, and until when."""
    return f"awaits:{visit}"


def event_types_at(directory: Directory, account: AccountId) -> dict[str, list[tuple[Project, str]]]:
    """Map a scheduler account's own event type ids to the (project, role) pairs that name them.

    An organisation-wide hook tells of every meeting of the company: what is not in here is none of ours.
    """
    found: dict[str, list[tuple[Project, str]]] = {}
    for project in directory.projects.values():
        if project.scheduler is not None and project.scheduler.account == account:
            for role, event_type in project.scheduler.event_types.items():
                found.setdefault(event_type, []).append((project, role))
    return found
