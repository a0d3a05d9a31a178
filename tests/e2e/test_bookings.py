"""A booking at the scheduler stands in the agent's calendar, once; seen with two clients that are not ours."""

from datetime import UTC

import pytest

from tests.e2e.town import ANA, BRUNO, PLACE, Town, eventually, monday, starts_of


@pytest.mark.parametrize("agent", [ANA, BRUNO], ids=["radicale", "xandikos"])
def test_a_signed_delivery_puts_the_visit_into_the_calendar_once(hooked: Town, agent: str) -> None:
    start, unit = monday(9), f"Casa {agent}"
    hooked.book_there(start, agent, unit)
    eventually("the visit stands there", lambda: hooked.entries(agent, unit))
    assert hooked.scheduler.courier.quiet()
    assert hooked.syncd("sync").code == 0
    seen = [one for one in hooked.agenda(agent).entries() if unit in one.title]
    assert [(one.title, one.start, one.location) for one in seen] == [
        (f"Visita Casas PlanOK - {unit}", start.astimezone(UTC), PLACE)
    ]
    assert unit in seen[0].body and "Eva Paz" in seen[0].body
    (text,) = hooked.entries(agent, unit)
    assert starts_of(text) == [start.astimezone(UTC)]
    assert f"SUMMARY:Visita Casas PlanOK - {unit}" in text.replace("\\", "")
    assert [one["state"] for one in hooked.visits(agent=agent) if unit in one["title"]] == ["confirmed"]


@pytest.mark.parametrize("agent", [ANA, BRUNO], ids=["radicale", "xandikos"])
def test_a_cancellation_takes_it_away_again(hooked: Town, agent: str) -> None:
    unit = f"Depto {agent}"
    invitee = hooked.book_there(monday(11), agent, unit)
    eventually("the visit stands there", lambda: hooked.entries(agent, unit))
    hooked.company.cancel(invitee, reason="No puedo")
    eventually("it is gone", lambda: not hooked.entries(agent, unit))
    (visit,) = [one for one in hooked.visits(agent=agent) if unit in one["title"]]
    assert (visit["state"], visit["cancel_reason"]) == ("cancelled", "client")
