"""Where a login's calendars are, and which of them the configuration means."""

from collections.abc import Iterator

import pytest

from connectors._caldav_account import Account
from syncd.core.ids import AccountId
from syncd.errors import AuthFailed, ConnectorError, NotFound, Permanent, Transient, Unreadable
from tests.connectors.caldav_stage import WINDOW, calendar_of, environment, home_of, settings_for
from tests.servers.caldav_liar import Flavour, Liar, Shelf, lying


@pytest.fixture
def liar() -> Iterator[Liar]:
    with lying() as server:
        server.shelves = {
            "/cal/ana/visitas/": Shelf("Visitas"),
            "/cal/ana/personal/": Shelf("Ana: privado"),
            "/cal/ana/doble1/": Shelf("Doble"),
            "/cal/ana/doble2/": Shelf("Doble"),
            "/cal/ana/con ñ & blanco/": Shelf(""),
            "/cal/equipo/turnos/": Shelf("Turnos"),
            "/cal/equipo/guardias/": Shelf("Guardias"),
        }
        yield server


def account(liar: Liar, path: str = "cal/ana/") -> Account:
    return Account(AccountId("a"), settings_for(f"{liar.url}{path}"), environment())


# ------------------------------------------------------------------------------------------------ names


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("visitas", "/cal/ana/visitas/"),
        ("visitas/", "/cal/ana/visitas/"),
        ("/visitas", "/cal/ana/visitas/"),
        ("Visitas", "/cal/ana/visitas/"),
        ("Ana: privado", "/cal/ana/personal/"),
        ("doble2", "/cal/ana/doble2/"),
        ("con ñ & blanco", "/cal/ana/con%20%C3%B1%20%26%20blanco/"),
        ("con%20%c3%b1%20&%20blanco", "/cal/ana/con%20%C3%B1%20%26%20blanco/"),
        ("/cal/ana/personal/", "/cal/ana/personal/"),
        ("/cal/equipo/turnos", "/cal/equipo/turnos/"),
        ("{url}cal/ana/visitas", "/cal/ana/visitas/"),
        ("{url}cal/equipo/turnos/", "/cal/equipo/turnos/"),
    ],
)
def test_a_calendar_is_named_by_path_by_display_name_or_by_address(liar: Liar, name: str, path: str) -> None:
    assert account(liar).place(name.replace("{url}", liar.url)) == path


def test_a_path_counts_from_the_configured_address_where_the_home_has_no_such_calendar(liar: Liar) -> None:
    assert account(liar, "cal/").place("equipo/turnos") == "/cal/equipo/turnos/"
    assert account(liar, "cal/").place("ana/visitas") == "/cal/ana/visitas/"


def test_a_path_is_preferred_to_a_display_name(liar: Liar) -> None:
    liar.shelves["/cal/ana/personal/"].title = "visitas"
    assert account(liar).place("visitas") == "/cal/ana/visitas/"


def test_an_ambiguous_name_is_refused_with_the_candidates(liar: Liar) -> None:
    with pytest.raises(Permanent, match=r"several .*'Doble': doble1 \(\"Doble\"\), doble2 \(\"Doble\"\)"):
        account(liar).place("Doble")


@pytest.mark.parametrize("name", ["vistas", "equipo", "", "visitas/visitas", "VISITAS"])
def test_an_unknown_name_is_refused_with_the_candidates_and_nothing_else_is_taken(liar: Liar, name: str) -> None:
    with pytest.raises(Permanent, match=r"it has: .*visitas \(\"Visitas\"\)") as raised:
        account(liar).place(name)
    assert not isinstance(raised.value, NotFound)  # which would read as "the entry is gone"


@pytest.mark.parametrize(
    "name", ["https://evil.example/cal/ana/visitas/", "http://127.0.0.1:1/cal/ana/visitas/", "//evil.example/x", "../x"]
)
def test_a_name_never_leads_to_another_server(liar: Liar, name: str) -> None:
    with pytest.raises(ConnectorError):
        account(liar).place(name)


def test_a_calendar_renamed_by_its_owner_is_no_longer_the_one_meant(liar: Liar) -> None:
    home = home_of(settings_for(f"{liar.url}cal/ana/"), ["Visitas", "personal"], environment(), "renamed")
    calendar = calendar_of(settings_for(f"{liar.url}cal/ana/"), "Visitas", environment(), "renamed-too")
    assert set(home.marks()) == {"Visitas", "personal"}
    list(calendar.changes(None, WINDOW))
    liar.shelves["/cal/ana/visitas/"].title = "Otra cosa"
    assert set(home.marks()) == {"personal"}


# ------------------------------------------------------------------------------------------------ marks


def test_every_calendar_of_the_home_is_told_by_one_request(liar: Liar) -> None:
    names = ["visitas", "Ana: privado", "doble1", "doble2"]
    home = home_of(settings_for(f"{liar.url}cal/ana/"), names, environment())
    assert set(home.marks()) == set(names)
    assert liar.requests == ["PROPFIND /cal/ana/"]  # the very first time, too
    before = home.marks()
    liar.shelves["/cal/ana/doble1/"].note("x")
    after = home.marks()
    assert {name for name in names if before[name] != after[name]} == {"doble1"}
    assert len(liar.requests) == 3


def test_calendars_elsewhere_are_told_together(liar: Liar) -> None:
    names = ["visitas", "/cal/equipo/turnos", f"{liar.url}cal/equipo/guardias/"]
    home = home_of(settings_for(f"{liar.url}cal/ana/"), names, environment())
    assert set(home.marks()) == set(names)
    liar.requests.clear()
    assert set(home.marks()) == set(names)
    assert len(liar.requests) <= 4  # the folder there may not be listed, then one by one


def test_an_unknown_calendar_has_no_mark_and_does_not_hide_the_others(liar: Liar) -> None:
    home = home_of(settings_for(f"{liar.url}cal/ana/"), ["visitas", "nada", "Doble"], environment())
    assert set(home.marks()) == {"visitas"}


def test_a_server_without_marks_gives_none() -> None:
    with lying(Flavour(syncs=False, ctag=False)) as server:
        server.shelves["/cal/ana/visitas/"] = Shelf("Visitas")
        assert home_of(settings_for(f"{server.url}cal/ana/"), ["visitas"], environment()).marks() == {}


@pytest.mark.parametrize(
    ("status", "error"), [(401, AuthFailed), (403, Permanent), (429, Transient), (500, Transient), (302, Unreadable)]
)
def test_a_home_that_cannot_be_asked_is_an_error_and_no_silence(
    liar: Liar, status: int, error: type[ConnectorError]
) -> None:
    home = home_of(settings_for(f"{liar.url}cal/ana/"), ["visitas"], environment())
    home.marks()
    liar.next("PROPFIND", status)
    with pytest.raises(error):
        home.marks()


# ------------------------------------------------------------------------------------------------ finding the home


def test_the_home_is_found_from_the_service_s_address_by_the_library(liar: Liar) -> None:
    found = account(liar, "")
    assert {one.path for one in found.listing()} == {path for path in map(quoted, liar.shelves) if "/ana/" in path}
    assert found.home == "/cal/ana/"


def quoted(path: str) -> str:
    from urllib.parse import quote

    return quote(path)


def test_a_server_that_breaks_over_its_root_still_tells_the_home(liar: Liar) -> None:
    """DAViCal 1.1.12 answers 500 when its root is asked for its members."""
    liar.next("PROPFIND", 500)
    assert account(liar, "").place("visitas") == "/cal/ana/visitas/"


def test_the_home_of_somebody_else_is_never_exchanged_for_the_own_one_when_it_breaks(liar: Liar) -> None:
    liar.home = liar.told_home = "/propio/"
    liar.shelves["/propio/visitas/"] = Shelf("Visitas")
    liar.next("PROPFIND", 500)
    with pytest.raises(Transient):
        account(liar, "cal/").place("visitas")


def test_the_address_of_one_calendar_is_enough(liar: Liar) -> None:
    found = account(liar, "cal/ana/visitas/")
    assert found.place("visitas") == "/cal/ana/visitas/"
    assert found.place("personal") == "/cal/ana/personal/"


def test_a_home_that_moved_is_looked_for_again(liar: Liar) -> None:
    found = account(liar, "")
    found.listing()
    liar.next("PROPFIND", 404)
    with pytest.raises(NotFound):
        found.listing()
    assert found.listing()


def test_the_well_known_address_leads_to_the_home(liar: Liar) -> None:
    liar.next("PROPFIND", 405)
    liar.next("PROPFIND", 405)
    liar.next("PROPFIND", 301, Location="/cal/")
    found = account(liar, "")
    assert found.listing() and found.home == "/cal/ana/"
    assert "PROPFIND /.well-known/caldav" in liar.requests


def test_a_redirect_on_the_same_server_is_followed_to_the_home(liar: Liar) -> None:
    liar.next("PROPFIND", 301, Location=f"{liar.url}cal/ana/")
    found = account(liar, "old/")
    assert found.listing() and found.home == "/cal/ana/"


@pytest.mark.parametrize(
    "place",
    ["http://localhost/cal/", "https://evil.example/", "//evil.example/cal/", "http://127.0.0.1:1/", "\\\\evil"],
)
def test_h118_a_redirect_to_another_server_is_not_followed(liar: Liar, place: str) -> None:
    for _ in range(4):
        liar.next("PROPFIND", 301, Location=place)
    with pytest.raises(ConnectorError):
        account(liar, "").listing()
    assert not [one for one in liar.requests if "evil" in one]


def test_h122_a_redirect_loop_ends_after_three_hops(liar: Liar) -> None:
    for _ in range(40):
        liar.next("PROPFIND", 302, Location="/.well-known/caldav")
    with pytest.raises(ConnectorError):
        account(liar, "").listing()
    assert len(liar.requests) <= 3 * 4  # the address itself, and twice the library


def test_a_home_at_another_server_is_refused_and_says_where(liar: Liar) -> None:
    liar.told_home = "https://p42-caldav.icloud.com/123/calendars/"
    with pytest.raises(ConnectorError, match="icloud"):
        account(liar, "").listing()


def test_f12_a_login_page_in_place_of_the_home_is_no_empty_home(liar: Liar) -> None:
    for _ in range(4):
        liar.next("PROPFIND", 200, "<html>", Content_Type="text/html")
    with pytest.raises(Unreadable):
        account(liar, "").listing()
