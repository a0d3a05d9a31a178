"""What people are known by, however they write it: the same is the same, and what only looks alike is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.contacts import Identifier, IdentifierKind
from syncd.identity import email_key, identifiers_of, is_mistyped_tax_id, phone_key, tax_id_key

LONG = st.text(max_size=60)


@pytest.mark.parametrize(
    "written",
    ["eva@example.com", " Eva@Example.COM ", "EVA@EXAMPLE.COM"],
)
def test_capitals_and_blanks_around_an_address_do_not_count(written: str) -> None:
    assert email_key(written) == "eva@example.com"


def test_a_domain_is_the_same_in_letters_and_as_the_name_system_knows_it() -> None:
    assert email_key("eva@Bücher.example") == email_key("eva@xn--bcher-kva.example") == "eva@xn--bcher-kva.example"


def test_composed_and_decomposed_letters_are_the_same() -> None:
    assert email_key("josé@example.com") == email_key("jose\u0301@example.com") != email_key("jose@example.com")


@pytest.mark.parametrize(
    "other",
    [
        "eva@ex\u0430mple.com",  # a Cyrillic letter
        "\u0435va@example.com",
        "eva@example.co",
        "eva+1@example.com",
        "e.va@example.com",
        "eva@straße.example",
    ],
)
def test_h73_what_only_looks_like_an_address_is_another(other: str) -> None:
    assert email_key(other) not in (None, "eva@example.com", "eva@strasse.example")


@pytest.mark.parametrize("text", ["", "eva", "eva@", "@example.com", "eva example.com", "eva@example.com, bob@b.com"])
def test_what_is_no_address_tells_nobody(text: str) -> None:
    assert email_key(text) is None


@pytest.mark.parametrize(
    "written", ["+56 9 1234 5678", "9 1234 5678", "0056912345678", "(+56) 9-1234-5678", "+56912345678 anexo 12"]
)
def test_a_number_is_the_same_with_and_without_its_country(written: str) -> None:
    assert phone_key(written, "CL") == "+56912345678"


@pytest.mark.parametrize("text", ["", "12345", "*21*56912345678#", "+1 900 555 1234", "call me", "+999 1", "+"])
def test_h74_what_is_no_number_or_a_costly_one_tells_nobody(text: str) -> None:
    assert phone_key(text, "CL") is None


@pytest.mark.parametrize(
    ("country", "writings"),
    [
        ("CL", ["12.345.678-5", "12345678-5", "123456785", "CL 12.345.678-5", "012.345.678-5"]),
        ("CL", ["7.654.321-6", "07654321-6"]),
        ("AR", ["20-12345678-6", "20123456786"]),
        ("ES", ["12345678-Z", "12345678z"]),
        ("IT", ["RSSMRA85T10A562S", "rssmra85t10a562s"]),
        ("DE", ["36 574 261 809", "36574261809"]),
    ],
)
def test_a_tax_id_is_the_same_with_and_without_its_marks_at_home_and_abroad(country: str, writings: list[str]) -> None:
    assert len({tax_id_key(one, at) for one in writings for at in (country, "CL", "DE")}) == 1


def test_a_tax_id_that_is_valid_nowhere_is_its_letters_and_digits() -> None:
    assert tax_id_key("p-123 456", "CL") == tax_id_key("P123456", "IT") == "P123456"


@pytest.mark.parametrize("text", ["", "-", "no", "n/a", "ninguno", "11.111.111-1", "00000000-0", "1234"])
def test_what_stands_for_no_tax_id_tells_nobody(text: str) -> None:
    assert tax_id_key(text, "CL") is None


@given(LONG, LONG, LONG)
def test_whatever_is_written_is_read_and_read_again_the_same(email: str, phone: str, tax_id: str) -> None:
    found = identifiers_of(email, phone, tax_id, "CL")
    again = {one.kind.value: one.value for one in found}
    assert identifiers_of(again.get("email"), again.get("phone"), again.get("tax_id"), "CL") == found


def test_nothing_given_is_nothing_known() -> None:
    assert identifiers_of(None, "", None, "CL") == frozenset()
    known = identifiers_of("eva@example.com", "9 1234 5678", None, "CL")
    assert known == {
        Identifier(kind=IdentifierKind.EMAIL, value="eva@example.com"),
        Identifier(kind=IdentifierKind.PHONE, value="+56912345678"),
    }


@pytest.mark.parametrize("text", ["12.345.678-9", "12345678-9", "12345678K", " 7.654.321-k "])
def test_a_home_id_with_a_wrong_check_digit_is_mistyped(text: str) -> None:
    assert is_mistyped_tax_id(text, "CL")


@pytest.mark.parametrize(
    "text",
    ["12.345.678-5", "12345678Z", "20-26756539-3", "AB123456", "45678912", "123456789", "no", "", "RSSMRA85T10A562S"],
)
def test_an_id_that_is_right_or_another_country_s_is_not(text: str) -> None:
    assert not is_mistyped_tax_id(text, "CL")


def test_a_country_without_a_rule_of_ours_takes_every_id() -> None:
    assert not is_mistyped_tax_id("12.345.678-9", "PE")
