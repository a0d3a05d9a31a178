"""The bar for what clients see: each rule, where ASVS 5.0.0 asks for it, and the test that breaks without it.

The table is checked for tests that are gone; what the rule says is checked by the tests it names.
"""

import ast
from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).parent.parent

# rule -> (ASVS 5.0.0, or "" where it is ours alone; file; tests)
BAR: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "a link carries 256 bits, made for one purpose, subject and generation": (
        "11.5.1",
        "web/test_pages.py",
        ("test_tokens_differ_by_subject_purpose_and_generation", "test_the_store_holds_no_token"),
    ),
    "a link ends, is superseded, and then looks like one that never was": (
        "",
        "web/test_pages.py",
        (
            "test_h125_h127_every_link_that_opens_nothing_gets_one_and_the_same_answer",
            "test_a_closed_link_costs_what_another_closed_link_costs",
            "test_the_same_link_is_made_again_and_an_older_one_stays_closed",
            "test_a_link_ends_to_the_second",
        ),
    ),
    "pages are kept by no cache and tell no other site their address": (
        "14.3.2, 3.4.5",
        "web/test_pages.py",
        ("test_every_page_carries_the_security_headers_and_is_kept_by_nobody",),
    ),
    "scripts, styles and frames are forbidden unless ours": (
        "3.4.3, 3.4.4, 3.4.6",
        "web/test_app.py",
        ("test_the_policy_is_the_one_of_the_security_bar", "test_every_answer_carries_the_security_headers"),
    ),
    "the policy holds in a real browser": (
        "3.4.3",
        "browser/test_eyes.py",
        ("test_what_the_policy_of_a_page_forbids_is_heard",),
    ),
    "https stays https for a year": (
        "3.4.1",
        "web/test_pages.py",
        ("test_only_an_https_installation_asks_for_https",),
    ),
    "looking changes nothing, whoever looks and how often": (
        "3.5.3",
        "hostile/test_pages.py",
        ("test_h124_fifty_looks_of_a_scanner_at_every_link_change_not_one_row",),
    ),
    "a post acts only with a form of ours, for this page, in time": (
        "3.5.1",
        "web/test_forms.py",
        (
            "test_a_form_is_taken_for_twelve_hours",
            "test_a_form_of_another_page_or_from_tomorrow_is_none_of_ours",
            "test_a_forged_token_is_no_token_and_no_crash",
            "test_a_missing_token_is_no_token",
            "test_a_token_changed_in_one_place_is_forged",
        ),
    ),
    "a post from another site does nothing": (
        "3.5.1",
        "web/test_forms.py",
        ("test_a_post_acts_only_where_it_may_come_from_our_page", "test_two_origins_are_none_of_ours"),
    ),
    "a method is what the request line says": (
        "4.1.4",
        "web/test_pages.py",
        ("test_no_other_method_is_taken", "test_h29_a_method_is_what_the_request_line_says"),
    ),
    "forwarded headers and Host count for nothing": (
        "4.1.3",
        "web/test_pages.py",
        (
            "test_h28_forwarded_headers_of_a_stranger_change_no_link",
            "test_h28_a_host_header_is_nowhere_in_a_page",
        ),
    ),
    "guesses and floods are slowed down, and nobody shuts others out": (
        "2.4.1",
        "web/test_brake.py",
        (
            "test_guesses_are_held_up_in_words_for_a_minute",
            "test_a_right_link_is_never_held_up_by_the_guesses_of_a_neighbour",
            "test_posts_on_one_link_are_held_up_and_looking_is_not",
            "test_posts_of_one_address_are_held_up",
        ),
    ),
    "forms are capped in bytes and fields, and read as text or not at all": (
        "2.2.1",
        "web/test_forms.py",
        (
            "test_a_form_has_so_many_bytes_at_most",
            "test_a_form_has_so_many_fields_at_most",
            "test_what_is_no_text_is_refused",
            "test_only_plain_forms_are_read",
            "test_a_compressed_form_is_not_opened",
        ),
    ),
    "cancelling asks a second time": (
        "",
        "web/test_visit_page.py",
        (
            "test_t10_a_client_cancels_in_two_steps_and_everybody_concerned_is_told",
            "test_a_cancellation_without_a_good_reason_asks_again_and_keeps_what_was_typed",
        ),
    ),
    "an act within two seconds of a message is only noted": (
        "2.4.2",
        "web/test_visit_page.py",
        ("test_an_act_within_two_seconds_of_a_message_is_only_noted",),
    ),
    "a cancellation may be taken back for ten minutes, and the agent is told": (
        "",
        "web/test_visit_page.py",
        (
            "test_a_cancellation_is_taken_back_within_ten_minutes_and_the_agent_is_told",
            "test_after_ten_minutes_it_stays_cancelled",
        ),
    ),
    "a second click shows the state reached": (
        "2.3.1",
        "hostile/test_pages.py",
        ("test_h127_an_act_that_was_done_shows_the_state_reached",),
    ),
    "a slot is never given twice": (
        "2.3.4",
        "web/test_race_rounds.py",
        (
            "test_of_fifty_bookings_of_one_slot_one_wins_a_hundred_times_over",
            "test_of_fifty_clients_at_the_booking_page_one_gets_the_time_and_the_others_are_told_of_more",
            "test_of_a_page_and_the_api_at_one_moment_one_wins",
        ),
    ),
    "whatever is typed or handed in is text wherever it is shown": (
        "1.2.1, 1.3.7",
        "hostile/test_pages.py",
        (
            "test_h61_to_h80_what_a_client_types_is_text_and_nothing_else",
            "test_what_a_request_says_is_text_on_every_page",
            "test_why_a_visit_is_cancelled_is_text",
            "test_words_of_staff_are_text",
            "test_what_an_administrator_wrote_is_text_too",
        ),
    ),
    "addresses and numbers are one address and one number": (
        "1.3.11",
        "hostile/test_pages.py",
        ("test_h71_no_second_address_hides_in_one", "test_h74_a_number_that_does_something_is_no_number"),
    ),
    "fields that a page does not have do nothing": (
        "15.3.3",
        "hostile/test_pages.py",
        ("test_h79_a_field_that_the_page_does_not_have_does_nothing",),
    ),
    "nothing leads to another site, and no file outside is served": (
        "3.7.2, 5.3.2",
        "hostile/test_pages.py",
        ("test_h128_nothing_leads_outside", "test_h26_nothing_outside_is_served"),
    ),
    "a failure of ours shows words, never its own": (
        "16.5.1",
        "web/test_pages.py",
        ("test_a_defect_of_ours_is_words_and_an_id_in_the_log_only",),
    ),
}


@cache
def functions_of(file: str) -> frozenset[str]:
    tree = ast.parse((HERE / file).read_text(encoding="utf-8"))
    return frozenset(one.name for one in ast.walk(tree) if isinstance(one, ast.FunctionDef))


@pytest.mark.parametrize("rule", BAR)
def test_every_rule_names_tests_that_are_there(rule: str) -> None:
    _, file, names = BAR[rule]
    assert names and set(names) <= functions_of(file)
