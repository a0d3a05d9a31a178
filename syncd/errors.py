"""Every way in which syncd says that something is broken; each docstring is the operator's sentence."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class RemoteAnswer(Protocol):
    """What an outside system answered, as far as an error needs to show it to a connector."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    @property
    def body(self) -> bytes: ...

    def json(self) -> Any: ...


class SyncdError(Exception):
    """Something went wrong that the operator can read about here."""


class ConfigError(SyncdError):
    """The configuration has problems; every one of them is listed with file, line and remedy."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)


class ConnectorError(SyncdError):
    """An outside system did not do what was asked."""

    answer: RemoteAnswer | None = None  # None where nothing came back


class Transient(ConnectorError):
    """The outside system is busy or away; syncd tries again later by itself."""

    def __init__(self, why: str, retry_after: float | None = None) -> None:
        super().__init__(why)
        self.retry_after = retry_after  # seconds, as the provider asked; None where it did not


class AuthFailed(ConnectorError):
    """The account's login is refused; polling stops until somebody signs it in again."""


class Permanent(ConnectorError):
    """The outside system refuses this for good; it is kept as a dead letter for a person to read."""


class Unsupported(Permanent):
    """The outside system has no way to be asked this; what it told by itself is all there is."""


class Forbidden(Permanent):
    """The account is known and may not do this (403): its rights at the outside system need widening."""


class NotFound(Permanent):
    """The outside system does not know this object (404 or 410)."""


class CursorExpired(ConnectorError):
    """The provider forgot our place in its list of changes; the calendar is listed completely again."""


class VersionConflict(ConnectorError):
    """The entry changed at the provider since we read it; it is read again and planned anew."""


class Ambiguous(ConnectorError):
    """No answer came after something was sent; syncd looks whether it was done before doing it again."""


class Unreadable(ConnectorError):
    """What came back cannot be a true answer (HTML, half a body, hostile rules); the last known state stays."""


class BadSignature(SyncdError):
    """The delivery does not prove its sender; it is refused with 401 and leaves no trace but a count."""


class StoreError(SyncdError):
    """The store refused a change."""


class SlotTaken(StoreError):
    """Another visit of the same agent, or in the same dwelling, holds this time."""

    def __init__(self, agent: str, visit: str | None = None, dwelling: str | None = None) -> None:
        super().__init__(f"{dwelling} is visited then" if dwelling else f"{agent} already holds this time")
        self.agent = agent
        self.visit = visit  # the visit in the way, where it is known
        self.dwelling = dwelling  # its key, where not the agent but the dwelling is taken


class StaleRevision(StoreError):
    """Somebody else changed the visit meanwhile; read it again."""


class StoreBusy(StoreError):
    """Another process holds the store."""


class StoreDamaged(StoreError):
    """The store fails its own checks (overlaps, integrity, a newer schema); restore a backup or ask for help."""


class StoreUnwritable(StoreError):
    """The store cannot be written now (disk full, read-only); nothing was acknowledged."""
