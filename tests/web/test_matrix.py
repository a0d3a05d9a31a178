"""Every route with every credential, generated from the routes themselves: one that is not in the table fails here."""

import base64
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests
from starlette.routing import Mount, Route

from syncd.core.ids import VisitId
from syncd.flows.manage import rebook_url, visit_url
from syncd.web.api import FAILURES_A_MINUTE, operations
from syncd.web.app import Edge
from syncd.web.feeds import feed_token
from tests.connectors.test_calendly_hook import HEADER, signature
from tests.web.recorder import check_problem
from tests.web.stage import KEYS, LINK_KEY, PASSWORDS, TOKEN, Stage, booking, request_body

MINUTE = timedelta(minutes=1)
NONE, WRONG, RIGHT = "none", "wrong", "right"
PAGE = "page"  # a link to a client: opens one page, which takes only forms of its own
OPEN = "open"  # anybody may come; nothing personal is shown

DEAD_ENDS = ("/b/{token:path}", "/v/{token:path}", "/p/{token:path}")  # links with more behind them

# how a route is guarded, and what it answers to the right caller; a route of the API is always guarded by a token
GUARDS = {
    "/hook/{account}": ("signature", 204),
    "/hook/{account}/{generation}": ("signature", 204),
    "/feeds/{token}.ics": ("link", 200),
    "/healthz": (OPEN, 200),
    "/readyz": (OPEN, 200),
    "/metrics": (OPEN, 200),
    "/": (OPEN, 200),
    "/style.css": (OPEN, 200),
    "/pages.css": (OPEN, 200),
    **dict.fromkeys(DEAD_ENDS, (OPEN, 404)),
    "/.well-known/caldav": (OPEN, 308),
    "/dav": (OPEN, 308),
    "/dav/": ("password", 207),
    "/api/openapi.json": (OPEN, 200),
    "/b/{token}": (PAGE, 200),
    "/b/{token}/visit.ics": (PAGE, 200),
    "/p/{token}": (PAGE, 200),
    "/v/{token}": (PAGE, 200),
    "/v/{token}/move": (PAGE, 200),
    "/v/{token}/cancel": (PAGE, 200),
    "/v/{token}/visit.ics": (PAGE, 200),
}
OTHERWISE = {"/readyz": 503, **dict.fromkeys(DEAD_ENDS, 415)}  # no fresh source; a body that is no form

GREETING = ("GET", "/hook/{account}")  # a service's question before it calls: tests/web/test_receipts.py


def a_visit_link(stage: Stage) -> str:
    visit_id = VisitId(stage.book(stage.a_start())["id"])
    return stage.store.write(lambda tx: visit_url(stage.ctx, tx, tx.visits.get(visit_id)))


def a_booking_link(stage: Stage) -> str:
    """Return the booking page of a visit that is booked: it has a file for the client's calendar."""
    visit_id, now = VisitId(stage.book(stage.a_start())["id"]), stage.clock.now()
    return stage.store.write(lambda tx: rebook_url(stage.ctx, tx, tx.visits.get(visit_id), now))


def a_proposal_link(stage: Stage) -> str:
    url: str = stage.api.post("/api/proposals", BODIES["/api/proposals"]).json()["url"]
    return url


BODIES: dict[str, dict[str, Any]] = {
    "/api/requests": request_body("matrix"),
    "/api/visits": booking(),
    "/api/visits/{id}/cancel": {"by": "staff"},
    "/api/visits/{id}/move": {"start": "2026-05-13T09:00:00-04:00"},
    "/api/visits/{id}/reassign": {"host": "ana"},
    "/api/handovers": {"from": "ana", "to": "beto", "project": "casas", "on": "2026-05-12"},
    "/api/visits/{id}/attendance": {"attendance": "present"},
    "/api/proposals": {"contact": {"name": "Eva", "email": "eva@example.com"}, "recipient": {"user": "ana"}},
    "/api/proposals/{id}/accept": {"window": 1},
    "/api/opt-outs": {"email": "nobody@example.com"},
}
LINKS: dict[str, Callable[[Stage], str]] = {
    "/b/": a_booking_link,
    "/p/": a_proposal_link,
    "/v/": a_visit_link,
}  # how the token of a page is come by
QUERIES = {
    "/api/slots": "?project=casas&from=2026-05-11&to=2026-05-12",
    "/api/slots/explain": "?project=casas&time=2026-05-12T10:00:00-04:00",
}


def routes(app: Edge) -> Iterator[tuple[str, str]]:
    """Yield (method, path) of everything that is served."""
    for route in app.routes:
        if isinstance(route, Route):
            for method in sorted((route.methods or set()) - {"HEAD"}):
                if (method, route.path) != GREETING:
                    yield method, route.path
        else:
            assert isinstance(route, Mount) and route.path in ("/dav", "/api"), route
    yield "PROPFIND", "/dav/"
    yield "GET", "/api/openapi.json"
    for one in operations():
        for method in sorted(one.methods or ()):
            yield method, one.path


def test_every_route_of_the_server_is_in_the_table(stage: Stage) -> None:
    served = {path for _, path in routes(stage.app)}
    assert served == {*GUARDS, *(one.path for one in operations())}
    assert len(operations()) == len({(one.path, *(one.methods or ())) for one in operations()}) == 27


def ask(stage: Stage, method: str, path: str, who: str) -> requests.Response:
    guard = GUARDS.get(path, ("token", 0))[0]
    headers: dict[str, str] = {}
    body = b""
    place = path.replace("{account}", "calendly").replace("{generation}", "1").replace("{id}", "nobody")
    if guard == "signature":
        body = stage.good_delivery("matrix")
        key = {NONE: None, WRONG: "a wrong key", RIGHT: KEYS["calendly"]}[who]  # type: ignore[index]
        headers |= {HEADER: signature(body, key=key, at=stage.clock.now())} if key is not None else {}
    elif guard == "link":
        token = {NONE: "x", WRONG: feed_token(b"another key", "ana", 1), RIGHT: feed_token(LINK_KEY, "ana", 1)}[who]
        place = place.replace("{token}", token)
    elif guard == PAGE:
        stage.clock.advance(timedelta(seconds=3))  # wrong links are counted, a minute and address
        token = LINKS[path[:3]](stage).rpartition("/")[2]
        place = place.replace("{token}", {NONE: "x", WRONG: token[:-1] + "-x", RIGHT: token}[who])
    elif guard == "password":
        headers |= {} if who == NONE else basic("ana", PASSWORDS["ana"] if who == RIGHT else "wrong password")
    else:
        stage.clock.advance(timedelta(seconds=3))  # so are wrong tokens
        headers |= {} if who == NONE else {"Authorization": f"Bearer {TOKEN if who == RIGHT else 'wrong'}"}
    options: dict[str, Any] = {"data": body} if guard == "signature" else {"json": BODIES.get(path, {})}
    if guard == PAGE:
        options = {"data": {"act": "confirm"}}
    if method in ("GET", "PROPFIND"):
        options = {}
    url = f"{stage.url}{place}{QUERIES.get(path, '')}"
    return stage.session.request(method, url, headers=headers, allow_redirects=False, timeout=20, **options)


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def test_the_matrix_of_routes_and_credentials(stage: Stage) -> None:
    """One test over all pairs: what the server serves is only known once it runs."""
    for method, path in routes(stage.app):
        guard, good = GUARDS.get(path, ("token", 0))
        if path in DEAD_ENDS and method == "GET":
            stage.clock.advance(MINUTE)  # past the brake on guesses
        for who in (NONE, WRONG, RIGHT):
            answer = ask(stage, method, path, who)
            place = f"{method} {path} as {who}: {answer.status_code} {answer.text[:200]}"
            if guard == OPEN:
                assert answer.status_code in (good, OTHERWISE.get(path, good)), place
            elif guard == PAGE:
                right = good if method == "GET" else 400  # a form that is none of ours
                assert answer.status_code == (right if who == RIGHT else 404), place
                assert answer.headers["Content-Type"].startswith(("text/html", "text/calendar")), place
            elif who == RIGHT:
                assert answer.status_code == good or (good == 0 and answer.status_code in (200, 201, 404, 422)), place
                assert good != 0 or answer.status_code != 422 or "errors" in answer.text, place
            else:
                assert answer.status_code == (404 if guard == "link" else 401), place
                check_problem(answer)
                challenge = answer.headers.get("WWW-Authenticate", "")
                assert challenge.split()[:1] == {"token": ["Bearer"], "password": ["Basic"]}.get(guard, []), place


def test_a_wrong_caller_changes_nothing_and_learns_nothing(stage: Stage) -> None:
    visit = stage.book(stage.a_start())
    stage.clock.advance(MINUTE)
    for one in operations():
        for method in one.methods or ():
            known = stage.url + one.path.replace("{id}", visit["id"])
            unknown = stage.url + one.path.replace("{id}", "nobody")
            answers = [
                stage.session.request(method, url, headers={"Authorization": "Basic eA=="}, json=body, timeout=20)
                for url, body in ((known, BODIES.get(one.path, {})), (unknown, {"nonsense": 1}))
            ]
            assert [answer.status_code for answer in answers] == [401, 401]
            stage.clock.advance(MINUTE / FAILURES_A_MINUTE * 3)  # as fast as the brake on guesses allows
            assert answers[0].text == answers[1].text, "one cannot tell which visits there are"
    assert stage.api.get(f"/api/visits/{visit['id']}").json() == visit


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/nothing", "/nothing", "/docs", "/redoc", "/api/docs", "/.env"])
def test_what_is_not_served_is_404_to_everybody(stage: Stage, path: str) -> None:
    for headers in ({}, {"Authorization": f"Bearer {TOKEN}"}):
        answer = stage.session.get(stage.url + path, headers=headers, timeout=20)
        check_problem(answer)
        assert answer.status_code == 404
