"""Alerts on their way to operators: each once to every service, its end as well, and nothing where there is none."""

from datetime import timedelta

from syncd.core.ids import AccountId
from syncd.core.letter import Channel
from syncd.flows.reach import messengers
from syncd.flows.say import alert, recovered
from syncd.store.queue import WorkKind
from tests.world import town
from tests.world.carrier import Carrier
from tests.world.stage import Stage

MINUTE = timedelta(minutes=1)


def stage_with(services: int) -> tuple[Stage, list[Carrier]]:
    stage = Stage(town.directory((town.agent("ana"),), scheduler=False))
    made = [stage.carrier("operator", AccountId(f"alerts:{number}")) for number in range(1, services + 1)]
    stage.cycle()
    return stage, made


def trouble(stage: Stage) -> None:
    stage.store.write(lambda tx: alert(tx, "account_down", "agenda", "agenda does not answer", stage.clock.now()))


def over(stage: Stage) -> None:
    stage.store.write(lambda tx: recovered(tx, "account_down", "agenda", stage.clock.now()))


def subjects(service: Carrier) -> list[str]:
    return [letter.subject for _, letter in service.taken]


def test_an_alert_and_its_end_go_once_to_every_service() -> None:
    stage, services = stage_with(2)
    trouble(stage)
    trouble(stage)
    stage.settle()
    over(stage)
    over(stage)
    stage.pass_time(timedelta(hours=1))
    for one in services:
        assert subjects(one) == ["syncd: account_down", "syncd: account_down is over"]
    text = services[0].taken[0][1].text
    assert text.startswith("agenda does not answer\n")
    assert text.endswith(f" UTC · {stage.ctx.public_url}")


def test_a_service_that_is_down_gets_the_alert_later_and_the_other_one_does_not_get_it_twice() -> None:
    stage, (well, ill) = stage_with(2)
    ill.down = True
    trouble(stage)
    stage.pass_time(timedelta(minutes=10), MINUTE)
    assert ("syncd: account_down", "agenda") in [(one.subject, one.text.split()[0]) for _, one in well.taken]
    assert subjects(ill) == []
    ill.down = False
    stage.pass_time(timedelta(hours=1), MINUTE)
    about_agenda = [[one.key for _, one in each.taken if "agenda" in one.key] for each in (well, ill)]
    assert [len(one) for one in about_agenda] == [1, 1]


def test_an_alert_outlives_a_crash_before_it_was_brought() -> None:
    stage, (service,) = stage_with(1)
    trouble(stage)
    stage.restart()
    stage.settle()
    assert subjects(service) == ["syncd: account_down"]


def test_at_night_an_alert_does_not_wait() -> None:
    stage, (service,) = stage_with(1)
    stage.clock.advance(timedelta(hours=15))
    trouble(stage)
    stage.settle()
    assert subjects(service) == ["syncd: account_down"]


def test_a_service_that_left_the_configuration_holds_nothing_up() -> None:
    stage, (service,) = stage_with(1)
    service.down = True
    trouble(stage)
    stage.settle()
    del stage.ctx.accounts[AccountId("alerts:1")]
    stage.pass_time(timedelta(hours=1), MINUTE)
    (copy,) = [one for one in stage.notices("operator") if one.kind == "account_down" and "agenda" in one.key]
    assert (copy.state, copy.reason) == ("skipped", "no_channel")
    assert [one.kind for one in stage.notices("alert", state="open")] == ["account_down"]


def test_without_services_an_alert_stays_where_it_was() -> None:
    stage, _ = stage_with(0)
    trouble(stage)
    stage.settle()
    assert [one.state for one in stage.notices("alert", "account_down")] == ["open"]
    assert stage.notices("operator") == []
    with stage.store.read() as tx:
        assert not [one for one in tx.queue.failing() if one.kind is WorkKind.SEND]


def test_a_service_of_alerts_carries_no_message_to_people() -> None:
    stage, (service,) = stage_with(1)
    assert service.channel is Channel.OPERATOR
    assert messengers(stage.ctx) == []
