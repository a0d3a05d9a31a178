"""Our Google server is judged: by Google's own client and sign-in library, and by its discovery document."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
import requests

from tests.servers.google import Google, serving
from tests.servers.google_contract import document, masked, operation_of, wrong_body, wrong_query
from tests.servers.google_token import EVENTS, FREE_BUSY, client_file, key_file

ANA = "ana@example.cl"
TIMES = {"start": {"dateTime": "2026-12-07T12:00:00Z"}, "end": {"dateTime": "2026-12-07T13:00:00Z"}}


@pytest.fixture
def google() -> Iterator[Google]:
    with serving() as state:
        state.make_calendar(ANA, ANA)
        yield state


@contextmanager
def client(google: Google) -> Iterator[Any]:
    """Yield Google's own client with Google's own sign-in, over its own transport."""
    from google.oauth2 import service_account
    from googleapiclient.discovery import build

    info = json.loads(key_file(f"{google.url}/token"))
    made: Any = service_account.Credentials.from_service_account_info(info, scopes=[EVENTS, FREE_BUSY])  # type: ignore[no-untyped-call]
    options = {"api_endpoint": f"{google.url}/calendar/v3/"}
    with closing(build("calendar", "v3", credentials=made.with_subject(ANA), client_options=options)) as service:
        yield service


def test_google_s_own_client_and_sign_in_work_against_it(google: Google) -> None:
    with client(google) as service:
        _exercise(google, service.events())
    assert google.wrong == []


def _exercise(google: Google, events: Any) -> None:
    from googleapiclient.errors import HttpError

    made = events.insert(calendarId=ANA, body={"summary": "x", "id": "visit1", **TIMES}).execute()
    first = events.list(calendarId=ANA).execute()
    assert [one["id"] for one in first["items"]] == ["visit1"]
    request = events.patch(calendarId=ANA, eventId="visit1", body={"summary": "y"})
    request.headers["If-Match"] = made["etag"]
    assert request.execute()["summary"] == "y"
    with pytest.raises(HttpError) as stale:
        request.execute()
    assert stale.value.resp.status == 412
    events.delete(calendarId=ANA, eventId="visit1").execute()
    delta = events.list(calendarId=ANA, syncToken=first["nextSyncToken"]).execute()
    assert [(one["id"], one["status"]) for one in delta["items"]] == [("visit1", "cancelled")]
    for status, call in (
        (409, events.insert(calendarId=ANA, body={"id": "visit1", **TIMES})),
        (410, events.delete(calendarId=ANA, eventId="visit1")),
    ):
        with pytest.raises(HttpError) as refused:
            call.execute()
        assert refused.value.resp.status == status
    google.forget()
    with pytest.raises(HttpError) as gone:
        events.list(calendarId=ANA, syncToken=first["nextSyncToken"]).execute()
    assert gone.value.resp.status == 410 and gone.value.error_details[0]["reason"] == "fullSyncRequired"


def test_google_s_sign_in_library_refreshes_a_person_s_token_and_hears_of_its_end(google: Google) -> None:
    from google.auth.exceptions import RefreshError
    from google.auth.transport.requests import Request
    from google.oauth2.credentials import Credentials

    held = json.loads(client_file(google.url))["installed"]
    secrets = {name: held[name] for name in ("client_id", "client_secret", "token_uri")}
    made: Any = Credentials(token=None, refresh_token=google.desk.sign_in(ANA), **secrets)  # type: ignore[no-untyped-call]
    with requests.Session() as session:
        transport: Any = Request(session)
        made.refresh(transport)
        assert google.desk.access[made.token].person == ANA
        google.desk.refresh.clear()
        with pytest.raises(RefreshError) as ended:
            made.refresh(transport)
    assert ended.value.args[1]["error"] == "invalid_grant"


# ------------------------------------------------------------------------------------------------ the document bites


def test_the_document_is_the_one_of_the_installed_client() -> None:
    found = document()
    assert found["version"] == "v3" and found["revision"] >= "2026", f"revision {found['revision']}"


@pytest.mark.parametrize(
    "body",
    [
        {"sumary": "x"},
        {"start": {"date": "2026-12-07T00:00:00Z"}},
        {"start": {"dateTime": "2026-12-07"}},
        {"start": [TIMES["start"]]},
        {"extendedProperties": {"private": {"a": 1}}},
        {"transparency": "opaqe"},
        {"status": "canceled"},
        {"visibility": "secret"},
    ],
)
def test_a_body_that_google_would_not_know_is_refused(body: dict[str, Any]) -> None:
    assert wrong_body("Event", body) is not None


def test_a_patch_may_take_fields_away_and_an_insert_may_not() -> None:
    assert wrong_body("Event", {"start": {"date": None}}, patch=True) is None
    assert wrong_body("Event", {"start": {"date": None}}) is not None


def test_an_expiration_is_a_text() -> None:
    assert wrong_body("Channel", {"id": "x", "expiration": 1}) is not None
    assert wrong_body("Channel", {"id": "x", "expiration": "1"}) is None


@pytest.mark.parametrize(
    "query",
    [
        {"sinceToken": ["x"]},
        {"maxResults": ["99999"]},
        {"singleEvents": ["True"]},
        {"orderBy": ["title"]},
        {"timeMin": ["2026-12-07"]},
        {"pageToken": ["a", "b"]},
    ],
)
def test_a_parameter_that_google_would_not_know_is_refused(query: dict[str, list[str]]) -> None:
    found = operation_of("GET", f"/calendar/v3/calendars/{ANA}/events")
    assert found is not None and wrong_query(found[0], query) is not None


@pytest.mark.parametrize(
    "other", [{"timeMin": "2026-12-07T00:00:00Z"}, {"iCalUID": "x"}, {"showDeleted": "false"}, {"maxResults": "7"}]
)
def test_what_may_not_stand_beside_a_sync_token_is_refused_and_noted(google: Google, other: dict[str, str]) -> None:
    with requests.Session() as session:
        session.trust_env = False
        session.headers["Authorization"] = "Bearer t"
        google.desk.access["t"] = google.desk.refresh[google.desk.sign_in(ANA)]
        url = f"{google.url}/calendar/v3/calendars/{ANA}/events"
        token = session.get(url, timeout=5).json()["nextSyncToken"]
        assert session.get(url, params={"syncToken": token}, timeout=5).status_code == 200
        assert session.get(url, params={"syncToken": token, **other}, timeout=5).status_code == 400
    assert len(google.wrong) == 1


def test_a_call_that_the_document_does_not_know_is_noted(google: Google) -> None:
    assert operation_of("PUT", f"/calendar/v3/calendars/{ANA}/events") is None
    with requests.Session() as session:
        session.trust_env = False
        assert session.get(f"{google.url}/calendar/v3/everything", timeout=5).status_code == 404
    assert google.wrong == ["no such call: GET /calendar/v3/everything"]


def test_a_partial_answer_holds_what_was_asked_for_and_no_more() -> None:
    whole = {"kind": "k", "items": [{"id": "1", "attendees": [{"self": True, "email": "x"}], "a": {"b": 1, "c": 2}}]}
    assert masked(whole, "items(id,attendees(self),a/b)") == {
        "items": [{"id": "1", "attendees": [{"self": True}], "a": {"b": 1}}]
    }
