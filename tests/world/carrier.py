"""Stand-ins for services that bring messages: each remembers what it took, and fails when told to; and plain words."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from syncd.clock import Clock
from syncd.core.letter import Channel, Letter
from syncd.core.visit import Visit
from syncd.errors import Ambiguous, Permanent, Transient
from syncd.flows.context import Context


@dataclass
class Carrier:
    """A service over one channel. A mail with a known Message-ID is shown to its reader once, as mail programs do."""

    channel: Channel
    clock: Clock
    taken: list[tuple[datetime, Letter]] = field(default_factory=list)
    down: bool = False
    next_fault: Callable[[], str] = lambda: ""  # "" | drop | lose | refuse
    refuses: set[str] = field(default_factory=set)
    reached: Callable[[str], None] = lambda point: None
    struck: Counter[str] = field(default_factory=Counter)

    def send(self, letter: Letter) -> str:
        fault = "drop" if self.down else self.next_fault()
        if fault:
            self.struck[fault] += 1
        if fault == "drop":
            raise Transient("nobody answers")
        if fault == "refuse" or letter.to in self.refuses:
            raise Permanent("no such address")
        self.taken.append((self.clock.now(), letter))
        self.reached("M3")
        if fault == "lose":
            raise Ambiguous("no answer")
        return f"{self.channel.value}-{len(self.taken)}"

    def keys(self) -> Counter[str]:
        return Counter(letter.key for _, letter in self.taken)


def plain_words(
    ctx: Context, visit: Visit | None, kind: str, channel: Channel, recipient: str, body: Mapping[str, Any] | None
) -> Letter:
    """Say what a message is about and of which time it speaks, in the visit's zone."""
    when = visit.interval.start.isoformat() if visit is not None else ""
    text = " ".join(part for part in (kind, when, str((body or {}).get("message", ""))) if part)
    return Letter(key="", channel=channel, kind=kind, to="", subject=kind, text=text)
