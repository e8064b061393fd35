from datetime import datetime
from zoneinfo import ZoneInfo

from ao.clock import from_datetime, to_datetime
from ao.control.cron import MAX_MISSED, due_ticks, next_tick
from ao.control.schedules import chosen_ticks

BERLIN = "Europe/Berlin"


def at(text: str, zone: str = "UTC") -> int:
    return from_datetime(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)))


def wall(instant_us: int, zone: str) -> str:
    return to_datetime(instant_us).astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M")


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


def test_next_tick_is_strictly_later() -> None:
    noon = at("2026-05-01 12:00")
    assert next_tick("0 12 * * *", "UTC", noon) == at("2026-05-02 12:00")


def test_due_ticks_hold_both_ends() -> None:
    first, now = at("2026-05-01 12:00"), at("2026-05-01 12:03")
    assert due_ticks("* * * * *", "UTC", first, now) == [first + minute * 60_000_000 for minute in range(4)]


def test_a_year_of_missed_minutes_is_bounded_to_the_newest() -> None:
    now = at("2026-05-01 12:00")
    due = due_ticks("* * * * *", "UTC", at("2025-05-01 12:00"), now)
    assert (len(due), due[-1]) == (MAX_MISSED, now)


def test_missed_ticks_follow_the_policy() -> None:
    first, now = at("2026-05-01 10:00"), at("2026-05-01 12:30")
    due = due_ticks("0 * * * *", "UTC", first, now)
    assert [wall(tick, "UTC")[-5:] for tick in due] == ["10:00", "11:00", "12:00"]
    assert chosen_ticks(due, "all", now) == due
    assert chosen_ticks(due, "latest", now) == due[-1:]
    assert chosen_ticks(due, "skip", now) == []


def test_a_punctual_tick_runs_under_every_policy() -> None:
    tick = at("2026-05-01 10:00")
    for policy in ("skip", "latest", "all"):
        assert chosen_ticks([tick], policy, tick + 2_000_000) == [tick]
