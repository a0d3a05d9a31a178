"""Watch channels of one Google calendar: opened under a new id before the old one ends, stopped as who opened them.

Google lists no channels, so strays cannot be found; one we forgot ends by itself within a week, and what it says is
answered and counted. What it really drops or delays is made up for by the poll.
"""

import json
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

from connectors._google_account import Person, person_of
from connectors._google_event import text_of
from connectors._google_hook import PURPOSE, subscription_id, token_of
from syncd.errors import NotFound, Unreadable
from syncd.ports import CalendarUse, Subscription

LASTS = timedelta(days=7)  # asked for, and what Google gives where it says nothing else


class GoogleWatch:
    """The channels of one calendar, as one person."""

    def __init__(self, person: Person, use: CalendarUse) -> None:
        self.person, self.use = person, use

    def start(self, callback: str) -> Subscription:
        """Open a channel; how long it lasts is read from the answer."""
        clock = self.person.env.clock
        channel = clock.new_id()
        calendar = f"{self.person.account}/{self.use.name}"
        body = {
            "id": channel,
            "type": "web_hook",
            "address": callback,
            "token": token_of(self.person.env.secret(PURPOSE), channel, calendar),
            "params": {"ttl": str(int(LASTS.total_seconds()))},
        }
        question = self.person.service.events().watch(
            calendarId=self.use.name, body=body, quotaUser=self.person.quota_user
        )
        told = self.person.ask(question)
        resource = text_of(told, "resourceId")
        if text_of(told, "id") != channel or not resource:
            raise Unreadable("Google opened a channel and does not say which")
        memo = {"channel": channel, "resource": resource, "subject": self.person.subject}
        ends = _ends(text_of(told, "expiration")) or clock.now() + LASTS
        sub_id = subscription_id(channel, resource)
        return Subscription(id=sub_id, callback=callback, expires_at=ends, memo=json.dumps(memo))

    def renew(self, subscription: Subscription) -> Subscription | None:
        """Google prolongs nothing: a new channel has to be opened before the old one ends."""
        return None

    def stop(self, subscription: Subscription) -> None:
        """Stop a channel as the person who opened it; nobody else may."""
        memo = json.loads(subscription.memo)
        opener = self.person
        if memo["subject"] != opener.subject:
            opener = person_of(opener.account, opener.settings, opener.env, memo["subject"])
        body = {"id": memo["channel"], "resourceId": memo["resource"]}
        question = opener.service.channels().stop(body=body, quotaUser=opener.quota_user)
        try:
            opener.ask(question, idempotent=True)
        except NotFound:
            return  # already gone is what was wanted

    def strays(self, known: Collection[str]) -> Sequence[Subscription]:
        """Google does not tell which channels there are."""
        return ()


def _ends(told: str) -> datetime | None:
    """Read milliseconds since 1970, told as text."""
    return (
        datetime.fromtimestamp(int(told) / 1000, UTC) if told.isascii() and told.isdigit() and len(told) < 15 else None
    )
