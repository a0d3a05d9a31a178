"""Draws what operations answer, for people. Every function takes the plain values that --json would print."""

from typing import Any

from syncd.cli.paper import Sheet, lasting, put, row, text

Json = dict[str, Any]


def status(body: Json) -> None:
    """Draw `syncd status`: what is wrong first, then everything."""
    if body["recovery"]:
        print("RECOVERY after a restore: nothing is written. See `syncd plan`, then `syncd recover --finish`.\n")
    print(_summary(body) + "\n")
    put(
        [
            Sheet(
                "Alerts", ["since", "kind", "what"], [row((a["since"], a["kind"], a["text"])) for a in body["alerts"]]
            ),
            Sheet(
                "Accounts",
                ["account", "kind", "state", "last success", "failures", "resting until", "push", "error"],
                [_account(one) for one in body["accounts"]],
                nothing="No accounts.",
            ),
            Sheet(
                "Sources",
                ["calendar", "agents", "role", "state", "age", "cursor", "error"],
                [_source(one) for one in body["sources"]],
                nothing="No calendars.",
            ),
            Sheet("Agents", ["agent", "bookable", "why not"], [_agent(one) for one in body["agents"]]),
            Sheet(
                "Projects",
                ["project", "active", "setting", "team", "opened"],
                [_project(one) for one in body["projects"]],
            ),
            Sheet("Work", ["kind", "due", "oldest"], [_queue(one) for one in body["queues"]], nothing="Nothing waits."),
            Sheet("Dead letters", ["kind", "key", "error"], [row(one.values()) for one in body["dead"]]),
            Sheet("Deliveries", ["state", "kept"], [row(one) for one in body["deliveries"].items()]),
        ]
    )


def _summary(body: Json) -> str:
    lag, agents = body["lag"], body["agents"]
    ages = "unknown"
    if lag["p50_seconds"] is not None:
        ages = f"{lasting(lag['p50_seconds'])} (median), {lasting(lag['p95_seconds'])} (p95)"
    daemon = "daemon running" if body["daemon"] else "NO DAEMON RUNS"
    bookable = f"{sum(one['bookable'] for one in agents)} of {len(agents)} agents bookable"
    return f"{daemon}; {bookable}; age of busy time {ages}; {len(body['alerts'])} alerts"


def _account(one: Json) -> list[str]:
    names = ("account", "kind", "state", "last_success", "failures", "resting_until", "push", "error")
    return row(one[name] for name in names)


def _source(one: Json) -> list[str]:
    age, cursor = lasting(one["age_seconds"]), one["cursor"] or ""
    short = cursor if len(cursor) <= 16 else f"{cursor[:15]}…"
    return row((one["calendar"], one["agents"], one["roles"], one["state"], age, short, one["error"]))


def _agent(one: Json) -> list[str]:
    return row((one["agent"], one["bookable"], one["why"]))


def _project(one: Json) -> list[str]:
    opened = one["activated"] or {}
    note = f"{opened['at']} {opened['by']}{': ' + opened['waived'] if 'waived' in opened else ''}" if opened else ""
    return row((one["project"], one["active"], one["setting"], one["team"], note))


def _queue(one: Json) -> list[str]:
    return row((one["kind"], one["due"], lasting(one["oldest_seconds"])))


def plan(body: list[Json]) -> None:
    rows = [row((one["calendar"], one["act"], one["start"], one["end"], one["title"])) for one in body]
    put([Sheet("", ["calendar", "act", "start", "end", "title"], rows, nothing="Nothing is due.")])


def synced(body: Json) -> None:
    print(f"{'Quiet' if body['quiet'] else 'Not quiet'} after {body['seconds']} s.")


def route(body: Json) -> None:
    """Draw a route: every rule's verdict, then where the request goes."""
    rows = [
        row((number, one["event_type"], "taken" if one["taken"] else one["matched"], one["why"]))
        for number, one in enumerate(body["rules"], 1)
    ]
    put([Sheet("", ["rule", "event type", "matches", "why"], rows)])
    if "project" in body:
        print(f"\nproject     {text(body['project'])}\nevent type  {text(body['event_type'])} ({text(body['role'])})")
        print(f"hosts       {text(body['hosts'])}")


def busy(body: list[Json]) -> None:
    rows = [
        row((one["start"], one["end"], one["kind"], one["calendar"] or one["account"], one.get("visit")))
        for one in body
    ]
    put([Sheet("", ["start", "end", "kind", "source", "visit"], rows, nothing="Nothing in this time.")])


def explained(body: Json) -> None:
    """Draw `syncd explain-slot`."""
    verdict = "offered" if body["offered"] else f"not offered{': ' + body['why'] if 'why' in body else ''}"
    print(f"{text(body['project'])}, {text(body['start'])}: {text(verdict)}")
    rows = [
        row((one["host"], one["free"], one["why"], detail))
        for one in body["hosts"]
        for detail in one["details"] or [""]
    ]
    put([Sheet("", ["host", "free", "why", "what stands in the way"], rows)])


def parity(body: Json) -> None:
    rows = [
        row((one["agent"], difference["calendar"], difference["what"]))
        for one in body["agents"]
        for difference in one["differences"]
    ]
    put([Sheet("", ["agent", "calendar", "difference"], rows, nothing=f"{body['project']}: equal.")])


def activated(body: Json) -> None:
    if "open" not in body:
        return
    for one in body["waived"]:
        print(f"waived: {text(one['agent'])} {text(one['calendar'])}: {text(one['what'])}")
    closed = "is noted as ready, but stays closed: the configuration says active = false."
    print(f"{text(body['project'])} {'is open for bookings.' if body['open'] else closed}")


def visits(body: list[Json]) -> None:
    columns = ("id", "state", "start", "end", "project", "event_type", "host", "client", "conflict")
    rows = [row(_visit_cells(one)[name] for name in columns) for one in body]
    put([Sheet("", [one.replace("_", " ") for one in columns], rows, nothing="No visits in this time.")])


def _visit_cells(one: Json) -> Json:
    cells = {name: one[name] for name in ("state", "start", "end", "project", "event_type", "host")}
    conflict = one.get("conflict", {}).get("reason")
    return cells | {"id": one["id"][:8], "client": one["contact"]["name"], "conflict": conflict}


def visit(body: Json) -> None:
    """Draw one visit, or the alternatives of one that was refused."""
    if "id" not in body:
        alternatives = [row(one.values()) for one in body.get("alternatives", [])]
        put([Sheet("Nearest free times", ["start", "end", "hosts free"], alternatives)])
        return
    _lines(body)


def handed_over(body: Json) -> None:
    """Draw a hand-over: what moved, what stays and why."""
    if "moved" not in body:
        return
    moved = [row((one["visit"][:8], one["start"])) for one in body["moved"]]
    left = [row((one["visit"][:8], one["start"], one["why"])) for one in body["left"]]
    title = "Would move" if body["dry_run"] else "Moved"
    put(
        [
            Sheet(title, ["visit", "start"], moved, nothing="No visits to move."),
            Sheet("Would stay" if body["dry_run"] else "Stay", ["visit", "start", "why"], left),
        ]
    )


def _lines(body: Json) -> None:
    """Draw what one thing says of itself, a line each; what is empty is left out."""
    lines = {name: value for name, value in body.items() if value not in (None, "", [])}
    width = max(map(len, lines))
    for name, value in lines.items():
        print(f"{name.ljust(width)}  {_nested(value)}")


def contact(body: Json) -> None:
    _lines(body)


def inquiries(body: list[Json]) -> None:
    columns = ("created_at", "contact", "visit", "agent", "state", "why")
    rows = [row(one[name] for name in columns) for one in body]
    put([Sheet("", [one.replace("_", " ") for one in columns], rows, nothing="No inquiries.")])


def _nested(value: Any) -> str:
    """Return a value on one line: objects as name=value, lists with semicolons."""
    if isinstance(value, dict):
        return ", ".join(f"{name}={_nested(one)}" for name, one in value.items() if one not in (None, "", []))
    if isinstance(value, list):
        return "; ".join(map(_nested, value))
    return text(value)


def history(body: list[Json]) -> None:
    rows = [row((one["version"], one["at"], one["actor"], one["source"], _changes(one), one["note"])) for one in body]
    put([Sheet("", ["version", "at", "actor", "source", "change", "note"], rows)])


def messages(body: list[Json]) -> None:
    names = ("due_at", "kind", "to", "channel", "state", "reason", "sent_at")
    rows = [row(one[name] for name in names) for one in body]
    put([Sheet("", ["due", "kind", "to", "over", "state", "why", "sent"], rows, nothing="Nothing is said of it.")])


def letter(body: Json) -> None:
    print(f"{text(body['kind'])} to {text(body['to'])} by {text(body['channel'])}\n\n{text(body['subject'])}\n")
    print("\n".join(map(text, body["text"].splitlines())))


def _changes(one: Json) -> str:
    before, after = one["before"] or {}, one["after"] or {}
    if not before:
        return "booked"
    return "; ".join(f"{name}: {_nested(before.get(name))} → {_nested(after.get(name))}" for name in after)


def deliveries(body: list[Json]) -> None:
    rows = [
        row((one["id"], one["account"], one["received_at"], one["state"], one["repeats"], one["error"])) for one in body
    ]
    put([Sheet("", ["id", "account", "received", "state", "repeats", "error"], rows, nothing="No deliveries.")])


def delivery(body: Json) -> None:
    for name, value in body.items():
        if name not in ("headers", "body"):
            print(f"{name.ljust(12)}  {_nested(value)}")
    print("\n" + "\n".join(f"{text(name)}: {text(value)}" for name, value in body["headers"]))
    print("\n" + "\n".join(map(text, body["body"].splitlines())))


def tasks(body: list[Json]) -> None:
    rows = [row((one["id"], one["kind"], one["visit"], one["agent"], one["due_at"], one["state"])) for one in body]
    put([Sheet("", ["id", "kind", "visit", "agent", "due", "state"], rows, nothing="No tasks.")])


def webhooks(body: list[Json]) -> None:
    rows = [
        row(
            (
                one["account"],
                one.get("callback"),
                one.get("active"),
                one.get("expires_at"),
                one.get("error", one.get("note")),
            )
        )
        for one in body
    ]
    put([Sheet("", ["account", "callback", "active", "expires", "note"], rows, nothing="No subscriptions.")])


def pushes(body: list[Json]) -> None:
    rows = [row((one["account"], one.get("push") or one.get("error"))) for one in body]
    put([Sheet("", ["account", "push"], rows, nothing="No account has webhooks.")])


def checks(body: list[Json]) -> None:
    """Draw the lines of doctor and check-config --online."""
    rows = [row((one["state"], one["account"], one["what"], one["text"], one["remedy"])) for one in body]
    put([Sheet("", ["state", "where", "what", "found", "remedy"], rows, nothing="Nothing to check.")])
