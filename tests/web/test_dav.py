"""The CalDAV server under /dav, seen by an agent's own client and by one who should not be there."""

import base64
import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from caldav.davclient import DAVClient

from syncd.core import limits
from syncd.core.ids import AgentId
from syncd.flows.sign_in import set_password
from syncd.web.dav import INTERNAL, embedded_calendars, ensure_calendars
from tests.web.stage import INSIDE, PASSWORDS, Stage, staged

EVENT = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//test//test//ES
BEGIN:VEVENT
UID:{uid}
DTSTAMP:20260504T120000Z
DTSTART:20260512T140000Z
DTEND:20260512T143000Z
SUMMARY:Dentista
END:VEVENT
END:VCALENDAR
"""


@contextmanager
def client(stage: Stage, user: str = "ana", password: str | None = None) -> Iterator[DAVClient]:
    secret = PASSWORDS[user] if password is None else password
    with DAVClient(f"{stage.url}/dav/", username=user, password=secret, proxy=None) as found:
        yield found


def ask(
    stage: Stage, method: str, path: str, body: bytes = b"", user: str = "ana", password: str | None = None, **head: str
) -> requests.Response:
    secret = PASSWORDS.get(user, "") if password is None else password
    credentials = base64.b64encode(f"{user}:{secret}".encode()).decode()
    headers = {"Authorization": f"Basic {credentials}", "Content-Type": "application/xml; charset=utf-8", **head}
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, f"{stage.url}{path}", data=body, headers=headers, timeout=20)


PROPFIND = b'<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:"><prop><resourcetype/></prop></propfind>'


# an agent's own calendar


def test_an_agent_finds_the_own_calendar_and_no_other(stage: Stage) -> None:
    with client(stage) as dav:
        calendars = dav.principal().calendars()  # type: ignore[no-untyped-call]
        assert [one.url.path for one in calendars] == ["/dav/ana/visits/"]


def test_an_agent_writes_reads_and_deletes_entries(stage: Stage) -> None:
    with client(stage) as dav:
        (calendar,) = dav.principal().calendars()  # type: ignore[no-untyped-call]
        calendar.save_event(EVENT.format(uid="dentist"))
        found = calendar.search(
            start=datetime(2026, 5, 12, tzinfo=UTC), end=datetime(2026, 5, 13, tzinfo=UTC), event=True
        )
        assert "Dentista" in found[0].data
        found[0].delete()
        assert calendar.events() == []


def test_a_change_by_an_agent_wakes_the_poll_and_a_reading_does_not(stage: Stage) -> None:
    path = "/dav/ana/visits/wake.ics"
    calendar = {"Content_Type": "text/calendar; charset=utf-8"}
    assert ask(stage, "PROPFIND", "/dav/ana/visits/", PROPFIND, Depth="1").status_code == 207
    assert stage.take_work() == set()
    assert ask(stage, "PUT", path, EVENT.format(uid="wake").encode(), **calendar).status_code == 201
    assert stage.take_work() == {("poll", "embedded")}
    assert ask(stage, "GET", path).status_code == 200
    assert stage.take_work() == set()
    assert ask(stage, "PUT", path, b"nonsense", **calendar).status_code >= 400
    assert stage.take_work() == set(), "what was refused changed nothing"
    assert ask(stage, "DELETE", path).status_code == 200
    assert stage.take_work() == {("poll", "embedded")}


@pytest.mark.parametrize("path", ["/dav/ana/visits/", "/dav/ana/", "/dav/", "/dav/ana/visits"])
def test_no_calendar_and_no_home_can_be_deleted(stage: Stage, path: str) -> None:
    put = {"Content_Type": "text/calendar"}
    ask(stage, "PUT", "/dav/ana/visits/stays.ics", EVENT.format(uid="stays").encode(), **put)
    assert ask(stage, "DELETE", path).status_code in (403, 405)
    assert ask(stage, "GET", "/dav/ana/visits/stays.ics").status_code == 200


def test_a_calendar_is_not_replaced_whole_and_not_moved_away(stage: Stage) -> None:
    put = {"Content_Type": "text/calendar"}
    ask(stage, "PUT", "/dav/ana/visits/whole.ics", EVENT.format(uid="whole").encode(), **put)
    whole = ask(stage, "PUT", "/dav/ana/visits/", EVENT.format(uid="other").encode(), **put)
    assert whole.status_code >= 400
    moved = ask(stage, "MOVE", "/dav/ana/visits/", Destination=f"{stage.url}/dav/ana/elsewhere/")
    assert moved.status_code >= 400
    assert ask(stage, "GET", "/dav/ana/visits/whole.ics").status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PROPFIND", "/dav/beto/"),
        ("PROPFIND", "/dav/beto/visits/"),
        ("GET", "/dav/beto/visits/"),
        ("PUT", "/dav/beto/visits/intruder.ics"),
        ("DELETE", "/dav/beto/visits/"),
        ("MKCALENDAR", "/dav/beto/mine/"),
        ("MKCOL", "/dav/zoe/"),
        ("PROPFIND", "/dav/ana/../beto/visits/"),
        ("PROPFIND", "/dav/ana/%2e%2e/beto/visits/"),
        ("PROPFIND", "/dav/ana/..%2fbeto/visits/"),
        ("PROPFIND", "/dav/%2e%2e/%2e%2e/etc/"),
        ("PROPFIND", "/dav//beto/visits/"),
        ("GET", "/dav/..%2f..%2f..%2fetc%2fpasswd"),
        ("GET", "/dav/.Radicale.props"),
        ("GET", "/dav/ana/visits/.Radicale.props"),
    ],
)
def test_a_colleague_s_calendar_is_closed_whatever_the_spelling(stage: Stage, method: str, path: str) -> None:
    head = {"Content_Type": "text/calendar"} if method == "PUT" else {}
    body = EVENT.format(uid="intruder").encode() if method == "PUT" else b""
    url = f"{stage.url}{path}"
    credentials = base64.b64encode(f"ana:{PASSWORDS['ana']}".encode()).decode()
    sent = requests.Request(method, url, data=body, headers={"Authorization": f"Basic {credentials}", **head}).prepare()
    sent.url = url  # as it is written: the library would tidy it up
    with requests.Session() as session:
        session.trust_env = False
        answer = session.send(sent, timeout=20)
    assert answer.status_code in (400, 403, 404, 405, 409), answer.text
    assert "root:" not in answer.text and "Dentista" not in answer.text


def test_a_move_into_a_colleague_s_calendar_is_refused(stage: Stage) -> None:
    put = {"Content_Type": "text/calendar"}
    ask(stage, "PUT", "/dav/ana/visits/gift.ics", EVENT.format(uid="gift").encode(), **put)
    target = f"{stage.url}/dav/beto/visits/gift.ics"
    assert ask(stage, "MOVE", "/dav/ana/visits/gift.ics", Destination=target).status_code == 403
    assert ask(stage, "GET", "/dav/beto/visits/gift.ics", user="beto").status_code == 404


# signing in


def test_without_a_password_nothing_is_shown_but_the_way_to_sign_in(stage: Stage) -> None:
    answer = requests.request("PROPFIND", f"{stage.url}/dav/", timeout=20)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, 'Basic realm="syncd", charset="UTF-8"')
    assert requests.options(f"{stage.url}/dav/", timeout=20).headers["DAV"].startswith("1")


@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC"])
@pytest.mark.parametrize("charset", ["utf-8", "latin-1"])
def test_a_password_with_accents_fits_as_old_and_new_clients_write_it(stage: Stage, scheme: str, charset: str) -> None:
    written = base64.b64encode(f"ana:{PASSWORDS['ana']}".encode(charset)).decode()
    headers = {"Authorization": f"{scheme} {written}"}
    assert requests.request("PROPFIND", f"{stage.url}/dav/ana/", headers=headers, timeout=20).status_code == 207


@pytest.mark.parametrize(
    "header",
    [
        "Basic",
        "Basic !!!",
        "Basic " + base64.b64encode(b"ana").decode(),
        "Basic " + base64.b64encode(b"\xff\xfe:x").decode(),
        "Basic " + base64.b64encode(b":").decode(),
        "Bearer x",
        "Digest username=ana",
        "Basic " + base64.b64encode(f"ana:{PASSWORDS['beto']}".encode()).decode(),
        "Basic " + base64.b64encode(f"ANA:{PASSWORDS['ana']}".encode()).decode(),
        "Basic " + base64.b64encode(f"ana :{PASSWORDS['ana']}".encode()).decode(),
        "Basic " + base64.b64encode(f"{INTERNAL}:{INSIDE}".encode()).decode(),
    ],
)
def test_no_other_credentials_open(tmp_path: Path, header: str) -> None:
    with staged(tmp_path) as own:
        answer = requests.request("PROPFIND", f"{own.url}/dav/ana/", headers={"Authorization": header}, timeout=20)
        assert answer.status_code == 401


def test_h134_guessing_is_braked_and_who_has_signed_in_goes_on(tmp_path: Path) -> None:
    with staged(tmp_path) as own:
        assert ask(own, "PROPFIND", "/dav/ana/", PROPFIND).status_code == 207
        codes = [ask(own, "PROPFIND", "/dav/ana/", PROPFIND, password=f"guess {n}").status_code for n in range(6)]
        assert codes == [401] * 5 + [429]
        unknown = [ask(own, "PROPFIND", "/dav/x/", user="nadie", password=f"guess {n}").status_code for n in range(6)]
        assert unknown == codes, "an unknown agent is braked and answered like a known one"
        assert ask(own, "PROPFIND", "/dav/ana/", PROPFIND).status_code == 207
        assert ask(own, "PROPFIND", "/dav/beto/", PROPFIND, user="beto").status_code == 207
        own.clock.advance(timedelta(minutes=2))
        assert ask(own, "PROPFIND", "/dav/ana/", PROPFIND, password="guess").status_code == 401


def test_a_new_password_closes_the_old_one_at_once(tmp_path: Path) -> None:
    with staged(tmp_path) as own:
        assert ask(own, "PROPFIND", "/dav/ana/", PROPFIND).status_code == 207
        assert set_password(own.ctx, AgentId("ana"), "otra contraseña") is None
        assert ask(own, "PROPFIND", "/dav/ana/", PROPFIND).status_code == 401
        assert ask(own, "PROPFIND", "/dav/ana/", PROPFIND, password="otra contraseña").status_code == 207


def test_h133_a_password_of_a_megabyte_never_reaches_the_hash(stage: Stage) -> None:
    assert ask(stage, "PROPFIND", "/dav/ana/", password="x" * 8_000).status_code == 401
    assert ask(stage, "PROPFIND", "/dav/ana/", password="x" * 1_000_000).status_code == 431


@pytest.mark.parametrize("header", ["X_Remote_User", "X-Remote-User", "Remote-User", "X-Forwarded-User"])
def test_h28_no_header_signs_anybody_in(stage: Stage, header: str) -> None:
    answer = requests.request("PROPFIND", f"{stage.url}/dav/ana/", headers={header: "ana"}, timeout=20)
    assert answer.status_code == 401


@pytest.mark.parametrize("header", ["X-Script-Name", "X_Script_Name", "X-Forwarded-Prefix", "X-Forwarded-Host"])
def test_h28_no_header_moves_the_addresses_in_an_answer(stage: Stage, header: str) -> None:
    answer = ask(stage, "PROPFIND", "/dav/ana/", PROPFIND, **{header: "/evil"})
    assert answer.status_code == 207 and "/evil" not in answer.text


# XML


BOMB = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><x>&b;</x>'


@pytest.mark.parametrize("method", ["PROPFIND", "REPORT", "PROPPATCH", "MKCALENDAR", "MKCOL"])
@pytest.mark.parametrize(
    "body",
    [
        BOMB,  # H103
        b'<?xml version="1.0"?><!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>',  # H104
        b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "http://127.0.0.1:1/">]><x>&e;</x>',
        b'<?xml version="1.0"?>\n<!doctype x><x/>',
        b"\xef\xbb\xbf<!DOCTYPE x><x/>",
        BOMB.decode().encode("utf-16"),  # H107
        BOMB.decode().encode("utf-16-le"),
        BOMB.decode().encode("utf-32"),
        b'<?xml version="1.0" encoding="utf-7"?>+ADwAIQ-DOCTYPE x+AD4-',
        b"<?xml version='1.0' encoding='UTF-16'?><x/>",
        b'<?xml version="1.0" encoding="ibm037"?><x/>',
    ],
)
def test_h103_to_h107_a_document_type_is_refused_in_every_encoding(stage: Stage, method: str, body: bytes) -> None:
    answer = ask(stage, method, "/dav/ana/xml/" if method.startswith("MK") else "/dav/ana/visits/", body)
    assert answer.status_code == 400, answer.text
    assert ask(stage, "PROPFIND", "/dav/ana/visits/", PROPFIND).status_code == 207


def test_h107_the_encoding_may_not_be_said_in_the_header_either(stage: Stage) -> None:
    head = {"Content_Type": "application/xml; charset=utf-7"}
    assert ask(stage, "PROPFIND", "/dav/ana/", PROPFIND, **head).status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        b'<?xml-stylesheet href="http://127.0.0.1:1/x.xsl"?><propfind xmlns="DAV:"><allprop/></propfind>',  # H106
        b'<propfind xmlns="DAV:" xmlns:i="http://www.w3.org/2001/XInclude"><i:include href="file:///x"/></propfind>',
    ],
)
def test_h106_nothing_is_included_or_fetched(stage: Stage, body: bytes) -> None:
    answer = ask(stage, "PROPFIND", "/dav/ana/", body)
    assert answer.status_code in (207, 400) and "root:" not in answer.text


def test_h112_xml_of_a_hundred_thousand_levels_does_no_harm(stage: Stage) -> None:
    deep = b"<a>" * 100_000 + b"</a>" * 100_000
    assert ask(stage, "PROPFIND", "/dav/ana/", deep).status_code == 400
    assert ask(stage, "PROPFIND", "/dav/ana/", PROPFIND).status_code == 207


def test_a_body_over_the_cap_is_413(stage: Stage) -> None:
    large = io.BytesIO(b" " * (limits.DAV_BODY + 1))
    assert ask(stage, "PUT", "/dav/ana/visits/large.ics", large.read()).status_code == 413


# the server itself


def test_calendars_are_made_once_and_kept(stage: Stage, tmp_path: Path) -> None:
    with staged(tmp_path) as own:
        put = {"Content_Type": "text/calendar"}
        ask(own, "PUT", "/dav/ana/visits/kept.ics", EVENT.format(uid="kept").encode(), **put)
    with staged(tmp_path) as again:
        assert ask(again, "GET", "/dav/ana/visits/kept.ics").status_code == 200
        assert embedded_calendars(again.ctx.directory) == ["ana/visits", "beto/visits"]


def test_a_calendar_that_cannot_be_made_is_an_oserror() -> None:
    def refuses(_environ: dict[str, Any], start: Any) -> list[bytes]:
        start("500 Internal Server Error", [])
        return []

    with pytest.raises(OSError, match="ana/visits"):
        ensure_calendars(refuses, "x", ["ana/visits"])


def test_well_known_leads_to_the_server(stage: Stage) -> None:
    for method in ("GET", "PROPFIND"):
        answer = requests.request(method, f"{stage.url}/.well-known/caldav", allow_redirects=False, timeout=20)
        assert (answer.status_code, answer.headers["Location"]) == (308, "/dav/")


def test_files_of_the_server_are_closed_to_other_users(tmp_path: Path) -> None:
    with staged(tmp_path) as own:
        ask(own, "PUT", "/dav/ana/visits/m.ics", EVENT.format(uid="m").encode(), Content_Type="text/calendar")
        assert (tmp_path / "dav").stat().st_mode & 0o777 == 0o700
