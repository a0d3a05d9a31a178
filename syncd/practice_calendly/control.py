"""The side door of the practice scheduler: what the demo and tests may do to it from another process."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from urllib.parse import parse_qsl, urlsplit

from syncd.practice_calendly.company import Company
from syncd.practice_calendly.courier import Courier, Switches
from syncd.practice_calendly.shapes import TRACKING, Client, Json, moment_of


@dataclass(slots=True)
class Fault:
    """One way to misbehave, for `times` calls whose "METHOD /path" starts with `match`, after `skip` good ones.

    kinds: any status as digits ("500", "429", "401", "403"), html, cut, empty, garbage, drop (nothing is done, no
    answer), drop-after (it is done, no answer).
    """

    kind: str
    match: str = ""
    times: int = 1
    skip: int = 0

    def strikes(self, request: str) -> bool:
        """Tell whether this call is hit, and count it."""
        if self.times <= 0 or not request.startswith(self.match):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.times -= 1
        return True


@dataclass(slots=True)
class SideDoor:
    """Steers company, courier and faults; KeyError names an act or a thing that does not exist."""

    company: Company
    courier: Courier
    faults: list[Fault]

    def act(self, name: str, body: Json) -> Json:
        """Do one act and return what came of it."""
        if name == "quiet":  # waits: not under the company's lock
            return {"quiet": self.courier.quiet(float(body.get("timeout", 10)))}
        with self.company.lock:
            return ACTS[name](self, body)

    def book(self, body: Json) -> Json:
        """Book; with `link`, as a client who opened that address: its query fills name, e-mail and tracking."""
        link = dict(parse_qsl(urlsplit(body.get("link", "")).query))
        client = Client(
            name=body.get("name") or link["name"],
            email=body.get("email") or link["email"],
            answers=tuple((question, answer) for question, answer in body.get("answers", [])),
            tracking={key: (body.get("tracking") or link).get(key) for key in TRACKING},
            time_zone=body.get("time_zone", "America/Santiago"),
        )
        start, force = moment_of(body["start"]), bool(body.get("force"))
        new = self.company.book(body["event_type"], start, client, host=body.get("host"), force=force)
        return self._booking(new)

    def reschedule(self, body: Json) -> Json:
        start, force = moment_of(body["start"]), bool(body.get("force"))
        return self._booking(self.company.reschedule(body["invitee"], start, host=body.get("host"), force=force))

    def cancel(self, body: Json) -> Json:
        """Cancel one client's place, or with `by` = "host" the whole event."""
        event = self.company.events[self.company.invitees[body["invitee"]]["event"]]
        if body.get("by") == "host":
            host = event["event_memberships"][0]["user"]
            self.company.cancel_event(event["uri"], host, body.get("reason"))
        else:
            self.company.cancel(body["invitee"], reason=body.get("reason"))
        return self._booking(body["invitee"])

    def reassign(self, body: Json) -> Json:
        self.company.reassign(body["event"], body["host"], stamped=bool(body.get("stamped", True)))
        return {}

    def attendance(self, body: Json) -> Json:
        self.company.mark_attendance(body["invitee"], present=bool(body["present"]))
        return {}

    def erase(self, body: Json) -> Json:
        self.company.erase(body["event"])
        return {}

    def users(self, body: Json) -> Json:
        return {"uri": self.company.add_user(**body)}

    def event_types(self, body: Json) -> Json:
        return {"uri": self.company.add_event_type(**body)}

    def switches(self, body: Json) -> Json:
        """Set switches of the courier."""
        unknown = set(body) - {one.name for one in fields(Switches)}
        if unknown:
            raise KeyError(*sorted(unknown))
        for name, value in body.items():
            setattr(self.courier.switches, name, value)
        return {}

    def release(self, body: Json) -> Json:
        self.courier.release(body.get("order"), backwards=bool(body.get("backwards")))
        return {}

    def misbehave(self, body: Json) -> Json:
        self.faults.append(Fault(**body))
        return {}

    def state(self, body: Json) -> Json:
        """Show everything."""
        company, courier = self.company, self.courier
        return {
            "organization": company.organization,
            "users": list(company.users.values()),
            "event_types": list(company.event_types.values()),
            "events": list(company.events.values()),
            "invitees": list(company.invitees.values()),
            "subscriptions": list(courier.api.subscriptions.values()),
            "held": [one.event for one in courier.held],
            "queued": [one.event for one in courier.queue],
            "sent": [{"event": one.event, "url": one.url, "status": one.status} for one in courier.sent],
        }

    def _booking(self, invitee: str) -> Json:
        event = self.company.events[self.company.invitees[invitee]["event"]]
        host = event["event_memberships"][0]["user"]
        return {
            "invitee": invitee,
            "event": event["uri"],
            "host": host,
            "calendar_event": event["calendar_event"],
        }


ACTS: dict[str, Callable[[SideDoor, Json], Json]] = {
    "book": SideDoor.book,
    "reschedule": SideDoor.reschedule,
    "cancel": SideDoor.cancel,
    "reassign": SideDoor.reassign,
    "attendance": SideDoor.attendance,
    "erase": SideDoor.erase,
    "users": SideDoor.users,
    "event_types": SideDoor.event_types,
    "switches": SideDoor.switches,
    "release": SideDoor.release,
    "misbehave": SideDoor.misbehave,
    "state": SideDoor.state,
}
