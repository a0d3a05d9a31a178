"""The outside systems syncd speaks to: a kind of account -> the module that does it, imported on first use."""

from collections.abc import Iterator, Mapping
from importlib import import_module

from syncd.ports import ConnectorSpec

KINDS: dict[str, str] = {
    "caldav": "connectors.caldav:SPEC",
    "calcom": "connectors.calcom:SPEC",
    "calendly": "connectors.calendly:SPEC",
    "google": "connectors.google:SPEC",
    "memory": "connectors.memory:SPEC",
    "outlook": "connectors.outlook:SPEC",
    "smtp": "connectors.smtp:SPEC",
    "twilio": "connectors.twilio:SPEC",
    "webhook": "connectors.webhook:SPEC",
    "whatsapp": "connectors.whatsapp:SPEC",
}


def load(kind: str) -> ConnectorSpec:
    """Return the connector of a kind; raises KeyError for a kind there is none of."""
    module, _, name = KINDS[kind].partition(":")
    found: ConnectorSpec = vars(import_module(module))[name]
    return found


class Specs(Mapping[str, ConnectorSpec]):
    """Every connector by its kind; one that nobody asks for is never imported."""

    def __getitem__(self, kind: str) -> ConnectorSpec:
        return load(kind)

    def __contains__(self, kind: object) -> bool:
        return kind in KINDS

    def __iter__(self) -> Iterator[str]:
        return iter(KINDS)

    def __len__(self) -> int:
        return len(KINDS)
