"""Posts signed webhooks to the subscribers, repeats what fails, and misbehaves on command.

As published: several messages in flight need no order, a failing one is repeated with back-off for a day, then the
subscription is disabled without a word.
"""

import hashlib
import hmac
import http.client
import json
import threading
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from syncd.practice_calendly.api import Api
from syncd.practice_calendly.shapes import Json

HEADER = "Calendly-Webhook-Signature"
GIVE_UP = 24 * 3600.0


@dataclass(slots=True)
class Posting:
    """One message for one subscriber; the bytes are fixed when the thing happens."""

    subscription: str
    event: str
    body: bytes
    due: float
    first_try: float | None = None
    attempts: int = 0
    stamped: int | None = None  # t of the first attempt


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one attempt; status 0: no answer."""

    event: str
    url: str
    status: int


@dataclass(slots=True)
class Switches:
    hold: bool = False  # keep everything until `release`
    duplicate: int = 0  # extra copies of every message
    drop: int = 0  # the next so many messages are lost
    delay: float = 0.0  # seconds before the first attempt
    sign_with: str | None = None  # another key than the subscriber's
    retry_first: float = 1.0  # seconds before the second attempt, doubling
    fresh_stamp: bool = True  # a repeat is signed anew (undocumented at the real service)


@dataclass(slots=True)
class Courier:
    """Listens to a company and posts to the subscriptions of its API, on one thread of its own."""

    api: Api
    switches: Switches = field(default_factory=Switches)
    queue: list[Posting] = field(default_factory=list)
    held: list[Posting] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    busy: int = 0
    wake: threading.Condition = field(default_factory=threading.Condition)
    stopping: bool = False
    thread: threading.Thread | None = None

    def start(self) -> None:
        self.api.company.listeners.append(self.announce)
        self.thread = threading.Thread(target=self._run, name="practice-courier", daemon=True)
        self.thread.start()

    def stop(self) -> None:
        with self.wake:
            self.stopping = True
            self.wake.notify_all()
        if self.thread is not None:
            self.thread.join()

    def announce(self, envelope: Json) -> None:
        """Queue one message for every subscriber of its kind."""
        body = json.dumps(envelope, separators=(",", ":"), ensure_ascii=False).encode()
        with self.wake:
            for uri, one in self.api.subscriptions.items():
                if one["state"] != "active" or envelope["event"] not in one["events"]:
                    continue
                if self.switches.drop > 0:
                    self.switches.drop -= 1
                    continue
                due = self.api.company.clock.monotonic() + self.switches.delay
                copies = [Posting(uri, envelope["event"], body, due) for _ in range(1 + self.switches.duplicate)]
                (self.held if self.switches.hold else self.queue).extend(copies)
            self.wake.notify_all()

    def release(self, order: list[int] | None = None, *, backwards: bool = False) -> None:
        """Let the held messages go: as they came, backwards, or by their places in the held list (one may repeat)."""
        with self.wake:
            held, self.held, self.switches.hold = self.held, [], False
            chosen = held[::-1] if backwards else held
            for place in order if order is not None else range(len(chosen)):
                one = chosen[place]
                self.queue.append(Posting(one.subscription, one.event, one.body, one.due))
            self.wake.notify_all()

    def quiet(self, timeout: float = 10.0) -> bool:
        """Wait until nothing is queued or under way; False when that takes longer than `timeout` seconds."""
        with self.wake:
            return self.wake.wait_for(lambda: not self.queue and not self.busy, timeout)

    def _run(self) -> None:
        while True:
            with self.wake:
                one = self._next()
                if one is None:
                    return
                self.busy += 1
            status = self._post(one)
            with self.wake:
                self.busy -= 1
                self._settle(one, status)
                self.wake.notify_all()

    def _next(self) -> Posting | None:
        """Wait for the first message that is due and take it; None when stopping. In order, one at a time."""
        while not self.stopping:
            now = self.api.company.clock.monotonic()
            ready = [one for one in self.queue if one.due <= now]
            if ready:
                self.queue.remove(ready[0])
                return ready[0]
            first = min((one.due for one in self.queue), default=None)
            self.wake.wait(None if first is None else max(first - now, 0.01))
        return None

    def _post(self, one: Posting) -> int:
        """Send once and return the status; redirects count as failures, as published."""
        subscription = self.api.subscriptions.get(one.subscription)
        if subscription is None:
            return -1  # deleted meanwhile: nobody to tell
        url = urlsplit(subscription["callback_url"])
        kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        connection = kind(url.hostname or "", url.port, timeout=15)
        try:
            connection.request("POST", url.path, one.body, self._headers(one))
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException):
            status = 0
        finally:
            connection.close()
        self.sent.append(Sent(one.event, subscription["callback_url"], status))
        return status

    def _headers(self, one: Posting) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "User-Agent": "Calendly"}
        key = self.switches.sign_with or self.api.keys.get(one.subscription)
        if key is not None:
            if one.stamped is None or self.switches.fresh_stamp:
                one.stamped = int(self.api.company.clock.now().timestamp())
            headers[HEADER] = sign(key, one.stamped, one.body)
        return headers

    def _settle(self, one: Posting, status: int) -> None:
        subscription = self.api.subscriptions.get(one.subscription)
        if subscription is None or 200 <= status < 300:
            if subscription is not None:
                subscription["retry_started_at"] = None
            return
        now = self.api.company.clock.monotonic()
        one.first_try = one.first_try if one.first_try is not None else now
        one.attempts += 1
        subscription["retry_started_at"] = subscription["retry_started_at"] or self.api.company.now()
        if now - one.first_try >= GIVE_UP:
            subscription["state"] = "disabled"
            return
        one.due = now + self.switches.retry_first * 2.0 ** min(one.attempts - 1, 12)
        self.queue.append(one)


def sign(key: str, moment: int, body: bytes) -> str:
    """Return the signature header: HMAC-SHA256 over `t.` and the raw body."""
    digest = hmac.new(key.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"
