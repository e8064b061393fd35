from datetime import datetime
from itertools import pairwise, takewhile
from zoneinfo import ZoneInfo

import pytest

from ao.clock import from_datetime, to_datetime
from ao.domain.schedule import MAX_CAUGHT_UP, Missed, Overlap, why_not
from ao.timetable import BrokenTimetable, Timetable

BERLIN = "Europe/Berlin"
MINUTE_US = 60_000_000


def at(text: str, zone: str = "UTC") -> int:
    return from_datetime(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)))


def wall(instant_us: int, zone: str) -> str:
    return to_datetime(instant_us).astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M")


def next_tick(cron: str, zone: str, after_us: int) -> int:
    tick = Timetable(cron, zone).after(after_us)
    assert tick is not None
    return tick


def test_a_daily_schedule_keeps_its_wall_clock_time_through_the_change_to_summer_time() -> None:
    before = next_tick("0 9 * * *", BERLIN, at("2026-03-27 12:00"))
    after = next_tick("0 9 * * *", BERLIN, at("2026-03-28 12:00"))
    assert [wall(before, BERLIN), wall(after, BERLIN)] == ["2026-03-28 09:00", "2026-03-29 09:00"]
    assert (after - before) / 3.6e9 == 23


def test_a_time_that_the_clocks_skip_runs_right_after_the_gap() -> None:
    tick = next_tick("30 2 * * *", BERLIN, at("2026-03-28 12:00"))
    assert wall(tick, BERLIN) == "2026-03-29 03:00"


def test_a_time_that_comes_twice_runs_once() -> None:
    first = next_tick("30 2 * * *", BERLIN, at("2026-10-24 12:00"))
    second = next_tick("30 2 * * *", BERLIN, first)
    assert [wall(first, BERLIN), wall(second, BERLIN)] == ["2026-10-25 02:30", "2026-10-26 02:30"]


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        (BERLIN, "2026-03-29"),
        (BERLIN, "2026-10-25"),
        ("Australia/Lord_Howe", "2026-04-05"),  # by half an hour
        ("Australia/Lord_Howe", "2026-10-04"),
        ("America/Sao_Paulo", "2018-11-04"),  # at midnight
        ("Pacific/Apia", "2011-12-31"),  # by a day
    ],
)
@pytest.mark.parametrize("cron", ["*/20 * * * *", "30 2 * * *", "*/30 1-3 * * *", "7 */2 * * *", "0 0 * * *"])
def test_every_tick_of_a_changing_day_is_due_when_it_comes_and_when_it_is_late(
    zone: str, day: str, cron: str
) -> None:
    table, noon = Timetable(cron, zone), at(f"{day} 12:00", zone)
    start = noon - 36 * 60 * MINUTE_US
    ticks = list(takewhile(lambda tick: tick <= noon, table.upcoming(start)))
    assert table.newest(start + 1, noon, 1000) == ticks
    for tick, following in pairwise([*ticks, noon + MINUTE_US]):
        assert table.after(tick - 1) == tick
        assert table.newest(tick, tick + 1, 10) == [tick]
        assert table.newest(tick, following - 1, 10) == [tick]


def test_next_tick_is_strictly_later() -> None:
    noon = at("2026-05-01 12:00")
    assert next_tick("0 12 * * *", "UTC", noon) == at("2026-05-02 12:00")


def test_due_ticks_hold_both_ends() -> None:
    first, now = at("2026-05-01 12:00"), at("2026-05-01 12:03")
    due = Timetable("* * * * *").newest(first, now, 10)
    assert due == [first + minute * MINUTE_US for minute in range(4)]


def test_a_year_of_missed_minutes_is_bounded_to_the_newest() -> None:
    now = at("2026-05-01 12:00")
    due = Timetable("* * * * *").newest(at("2025-05-01 12:00"), now, MAX_CAUGHT_UP)
    assert (len(due), due[-1]) == (MAX_CAUGHT_UP, now)


def test_every_ticks_at_multiples_wherever_it_begins() -> None:
    timetable = Timetable("@every 15m", BERLIN)
    assert wall(next_tick("@every 15m", BERLIN, at("2026-05-01 12:07")), "UTC") == "2026-05-01 12:15"
    due = timetable.newest(at("2026-05-01 12:00"), at("2026-05-01 12:44"), 10)
    assert [wall(tick, "UTC")[-5:] for tick in due] == ["12:00", "12:15", "12:30"]


def test_start_and_end_bound_the_ticks() -> None:
    start, end = at("2026-05-01 10:00"), at("2026-05-01 12:00")
    timetable = Timetable("0 * * * *", start_us=start, end_us=end)
    assert [wall(tick, "UTC")[-5:] for tick in timetable.upcoming(0)] == ["10:00", "11:00", "12:00"]
    assert timetable.after(end) is None
    assert timetable.newest(0, at("2026-06-01 00:00"), 2) == [at("2026-05-01 11:00"), end]


@pytest.mark.parametrize(
    ("cron", "zone", "field"),
    [
        ("61 * * * *", "UTC", "cron"),
        ("@every soon", "UTC", "cron"),
        ("@every 10ms", "UTC", "cron"),
        ("0 9 * * *", "Europe/Nowhere", "timezone"),
        ("0 9 * * *", "../etc/passwd", "timezone"),
    ],
)
def test_a_broken_timetable_says_what_is_broken(cron: str, zone: str, field: str) -> None:
    timetable = Timetable(cron, zone)
    problem = timetable.problem()
    assert problem is not None
    assert (problem.field, bool(problem.hint)) == (field, True)
    if field == "cron" or not cron.startswith("@every"):
        with pytest.raises(BrokenTimetable):
            timetable.after(0)


def runs_of(due: list[int], missed: Missed, now: int, **more: object) -> list[int]:
    policy = {"overlap": Overlap.SKIP, "catch_up_us": None, **more}
    reasons = why_not(due, missed, policy["overlap"], policy["catch_up_us"], now)  # type: ignore[arg-type]
    return [tick for tick, why in zip(due, reasons, strict=True) if not why]


def test_missed_ticks_follow_the_policy() -> None:
    now = at("2026-05-01 12:30")
    due = list(Timetable("0 * * * *").newest(at("2026-05-01 10:00"), now, 10))
    assert len(due) == 3
    assert runs_of(due, Missed.ALL, now) == due
    assert runs_of(due, Missed.LATEST, now) == due[-1:]
    assert runs_of(due, Missed.SKIP, now) == []


def test_ticks_outside_of_the_catch_up_window_are_never_made_up_for() -> None:
    now = at("2026-05-01 12:30")
    due = list(Timetable("0 * * * *").newest(at("2026-05-01 10:00"), now, 10))
    assert runs_of(due, Missed.ALL, now, catch_up_us=90 * MINUTE_US) == due[1:]
    assert runs_of(due, Missed.LATEST, now, catch_up_us=10 * MINUTE_US) == []


def test_of_missed_ticks_that_cancel_each_other_only_the_newest_runs() -> None:
    now = at("2026-05-01 12:30")
    due = list(Timetable("0 * * * *").newest(at("2026-05-01 10:00"), now, 10))
    assert runs_of(due, Missed.ALL, now, overlap=Overlap.CANCEL_PREVIOUS) == due[-1:]


def test_a_punctual_tick_runs_under_every_policy() -> None:
    tick = at("2026-05-01 10:00")
    for policy in Missed:
        assert runs_of([tick], policy, tick + 2_000_000) == [tick]
