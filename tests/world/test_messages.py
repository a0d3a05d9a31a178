"""Messages with deaths at every point, lost answers and an outage of six hours: one end for each, none twice where the
channel can promise that, none missing, none of an old time."""

import random
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache

import pytest

from syncd.core.directory import MessageRule, SyncPolicy
from syncd.core.event_type import NoShowRule
from syncd.core.hours import WorkingHours
from syncd.core.letter import Report, Sent
from syncd.core.messages import TASKS
from syncd.core.visit import Attend, Attendance, Cancel, CancelReason, Command, Confirm, Contact, Move, Visit
from syncd.flows import receipts
from syncd.flows.book import act, book
from syncd.flows.remind import plan
from syncd.store.outbox import FINAL
from tests.world import town
from tests.world.crash import MESSAGE_POINTS, Death
from tests.world.stage import Stage

KIND = replace(
    town.VISITA,
    minimum_notice=timedelta(0),
    same_day=True,
    no_show=NoShowRule(follow_up=timedelta(minutes=5), release=timedelta(minutes=15)),
    unconfirmed_release=timedelta(hours=2),
)
ALWAYS = WorkingHours(
    id=town.OFFICE, time_zone=town.ZONE, weekly=tuple([((datetime.min.time(), datetime.max.time()),)] * 7)
)
SELDOM = SyncPolicy(poll_every=timedelta(hours=12), max_staleness=timedelta(days=30))  # calendars are not at stake
SENT_ONCE = ("whatsapp", "sms")
SEEDS = range(6)
DAYS = 3


def staged(*channels: str, seed: int = 0) -> Stage:
    """Return an office whose every message goes over the first of the channels that serves."""
    rules = [
        MessageRule(kind=kind, channels=channels)
        for kind in ("booking_info", "update", "cancellation", "reminder", "confirmation_request", "no_show_follow_up")
    ]
    made = town.directory((town.agent("ana"), town.agent("beto")), event_type=KIND, scheduler=False, policy=SELDOM)
    stage = Stage(replace(made, messages=tuple(rules), hours={town.OFFICE: ALWAYS}), seed=seed)
    for one in channels:
        stage.carrier(one)
    stage.cycle()
    return stage


def booked(stage: Stage, start: datetime) -> Visit | None:
    contact = Contact(name="Eva Díaz", email="eva@example.com", phone="+56912345678")
    made = book(stage.ctx, stage.booking(start, contact=contact), stage.cause())
    return made if isinstance(made, Visit) else None


def taken(stage: Stage) -> Counter[str]:
    found: Counter[str] = Counter()
    for one in stage.carriers.values():
        found += one.keys()
    return found


def settle(stage: Stage) -> int:
    """Work until all is quiet, coming back after each death; returns how often it died."""
    deaths = 0
    while True:
        try:
            stage.settle()
        except Death:
            deaths += 1
            stage.restart()
        else:
            return deaths


# --- a death at each point ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channel", ["email", *SENT_ONCE])
@pytest.mark.parametrize("point", MESSAGE_POINTS[:5])
def test_a_death_anywhere_on_the_way_of_a_message(point: str, channel: str) -> None:
    stage = staged(channel)
    visit = booked(stage, town.TUESDAY)
    assert visit is not None
    stage.reaper.at(point)
    assert settle(stage) == 1, f"no message passes {point}"
    stage.clock.advance(timedelta(minutes=5))
    settle(stage)
    key = f"message:booking_info:{visit.id}:1:client"
    (row,) = [one for one in stage.notices("message", "booking_info") if one.to == "client"]
    handed_over = point in ("M3", "M4")
    if channel == "email":
        assert (row.state, taken(stage)[key]) == ("sent", 2 if handed_over else 1)
    elif point in ("M1", "M5"):
        assert (row.state, taken(stage)[key]) == ("sent", 1)
    else:  # between `sending` and `sent` nobody knows
        assert (row.state, taken(stage)[key]) == ("unknown", 1 if handed_over else 0)
        assert [one.kind for one in stage.notices("task")] == ["unknown_message"]


def test_a_death_over_a_receipt_loses_nothing_that_its_sender_repeats() -> None:
    stage = staged("whatsapp")
    booked(stage, town.TUESDAY)
    settle(stage)
    (account,) = stage.carriers
    told = [Report(remote_id="whatsapp-1", state=Sent.READ, at=stage.clock.now())]
    stage.reaper.at("M6")
    with pytest.raises(Death):
        stage.store.write(lambda tx: receipts.note_reports(stage.ctx, tx, account, told, stage.clock.now()))
    stage.restart()
    assert [one.state for one in stage.notices("message", "booking_info")] == ["sent"]
    for news in (1, 0):
        assert news == stage.store.write(
            lambda tx: receipts.note_reports(stage.ctx, tx, account, told, stage.clock.now())
        )
    assert [one.state for one in stage.notices("message", "booking_info")] == ["read"]


# --- some days of everything ----------------------------------------------------------------------------------------


class Days:
    """A few days of an office in which everything may fail at any moment, from one seed."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.stage = staged("whatsapp", "email", "sms", seed=seed)
        self.visits: list[Visit] = []
        self.deaths = 0
        self.old_times: list[str] = []
        self.judged: set[tuple[str, int]] = set()
        for carrier in self.stage.carriers.values():
            carrier.next_fault = self._fault
        self.stage.reaper.wants = lambda name: name in MESSAGE_POINTS and self.rng.random() < 0.04

    def _fault(self) -> str:
        return self.rng.choices(("", "drop", "lose", "refuse"), (85, 8, 5, 2))[0]

    def live(self) -> None:
        end = self.stage.clock.now() + timedelta(days=DAYS)
        outage = self.stage.clock.now() + timedelta(hours=self.rng.randrange(6, 60))
        while self.stage.clock.now() < end:
            down = outage <= self.stage.clock.now() < outage + timedelta(hours=6)
            for carrier in self.stage.carriers.values():
                carrier.down = down
            self.stage.beat()
            self._work()
            self._somebody_acts()
            self._work()
            self.stage.clock.advance(timedelta(minutes=self.rng.choice((1, 7, 20))))
        self._calm()

    def _work(self) -> None:
        self.deaths += settle(self.stage)
        self._judge_times()

    def _somebody_acts(self) -> None:
        now = self.stage.clock.now()
        if self.rng.random() < 0.08:
            start = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=self.rng.randrange(2, 60))
            made = booked(self.stage, start)
            self.visits += [made] if made is not None else []
        if self.visits and self.rng.random() < 0.1:
            visit = self.stage.visit(self.rng.choice(self.visits).id)
            act(self.stage.ctx, visit.id, self._command(visit), self.stage.cause())

    def _command(self, visit: Visit) -> Command:
        choices: list[Command] = [
            Confirm(),
            Cancel(by=self.rng.choice((CancelReason.CLIENT, CancelReason.AGENT))),
            Move(start=visit.interval.start + timedelta(hours=self.rng.choice((-3, 2, 26)))),
            Attend(attendance=Attendance.PRESENT),
        ]
        return self.rng.choice(choices)

    def _judge_times(self) -> None:
        """Whatever was taken since the last look speaks of the time that its visit has: nobody moved it meanwhile."""
        for account, carrier in self.stage.carriers.items():
            for number, (_, letter) in enumerate(carrier.taken):
                if (account, number) not in self.judged:
                    self.judged.add((account, number))
                    about = next(one for one in self.stage.notices("message") if one.key == letter.key).about
                    if self.stage.visit(about).interval.start.isoformat() not in letter.text:
                        self.old_times.append(letter.key)

    def _calm(self) -> None:
        """Switch everything bad off and let what still waits come to its end."""
        self.stage.reaper.wants = lambda name: False
        for carrier in self.stage.carriers.values():
            carrier.down, carrier.next_fault = False, lambda: ""
        for _ in range(6):
            self.stage.clock.advance(timedelta(minutes=16))
            self._work()

    def missing(self) -> list[str]:
        """List what the plans of all visits call for by now and no row says."""
        now = self.stage.clock.now()
        known = {one.key for channel in ("message", "task") for one in self.stage.notices(channel)}
        due = [one for visit in self.stage.visits() for one in plan(self.stage.ctx, visit) if one.due_at <= now]
        return [one.key for one in due if one.key not in known]


@cache
def lived(seed: int) -> Days:
    days = Days(seed)
    days.live()
    return days


@pytest.mark.parametrize("seed", SEEDS)
def test_days_in_which_everything_fails(seed: int) -> None:
    days = lived(seed)
    messages = days.stage.notices("message")
    assert {one.state for one in messages} <= FINAL, [one for one in messages if one.state not in FINAL]
    assert all(one.reason for one in messages if one.state in ("skipped", "failed", "unknown"))
    assert days.missing() == []
    assert days.old_times == []
    assert days.stage.dead() == []
    for account, carrier in days.stage.carriers.items():
        most = max(carrier.keys().values(), default=0)
        assert most <= (1 if carrier.channel.value in SENT_ONCE else 4), f"{account} took a message {most} times"
    sent = {one.key for one in messages if one.state == "sent" and one.via != "notice"}
    assert sent <= set(taken(days.stage))
    for carrier in days.stage.carriers.values():  # of a mail without an answer the next try decides
        gone = set(carrier.keys()) - sent if carrier.channel.value in SENT_ONCE else set()
        assert {one.state for one in messages if one.key in gone} <= {"unknown"}
    told = [one.key for one in messages] + [one.key for one in days.stage.notices("task") if one.kind in TASKS]
    assert len(told) == len(set(told)) > 30


def test_the_days_are_not_quiet_ones() -> None:
    deaths, struck, states = 0, Counter[str](), Counter[str]()
    points: Counter[str] = Counter()
    for seed in SEEDS:
        days = lived(seed)
        deaths += days.deaths
        points += days.stage.reaper.kills
        for carrier in days.stage.carriers.values():
            struck += carrier.struck
        states += Counter(one.state for one in days.stage.notices("message"))
    assert deaths > 25
    assert all(points[point] > 2 for point in MESSAGE_POINTS[:5]), points
    assert all(struck[fault] > 10 for fault in ("drop", "lose", "refuse")), struck
    assert all(states[state] > 3 for state in ("sent", "skipped", "unknown")), states
