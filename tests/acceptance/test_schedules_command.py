"""`ao schedules`, as people use it."""

import re

import pytest
from tests.acceptance.command import Ao
from tests.acceptance.projects import project

EXTRA = 'cron = "0 3 * * *"\ninput_schema = { type = "object", properties = { n = { type = "integer" } } }'


@pytest.fixture(scope="module", autouse=True)
def deployed(ao: Ao) -> None:
    ao.ok("deploy", str(project(ao.cwd / "timed", "timed", extra=EXTRA)))


def test_a_schedule_from_its_making_to_its_end(ao: Ao) -> None:
    made = ao.ok(
        *("schedules", "create", "timed/nightly", "--cron", "30 2 * * *", "--timezone", "Europe/Berlin"),
        *("-i", '{"n": 1}', "--overlap", "queue", "--missed", "all", "--catch-up", "6h", "--end", "2999-01-01"),
    )
    assert re.search(r"timed/nightly made; next in \d+", made.err)
    taken = ao("schedules", "create", "timed/nightly", "--every", "1h")
    assert (taken.status, "ao schedules update timed/nightly" in taken.err) == (4, True)
    listed = ao.ok("schedules", "list", "--agent", "timed").out
    assert re.search(r"timed/cron\s+0 3 \* \* \*\s+UTC\s+skip\s+in ", listed)
    assert re.search(r"timed/nightly\s+30 2 \* \* \*\s+Europe/Berlin\s+queue\s+in ", listed)
    shown = ao.ok("schedules", "show", "timed/nightly").out
    assert re.search(r"missed\s+all, at most 6h late", shown)
    assert re.search(r'input\s+\{"n": 1\}', shown)

    ao.ok("schedules", "update", "timed/nightly", "--every", "2h", "--catch-up", "none", "--overlap", "skip")
    changed = ao.ok("schedules", "show", "timed/nightly", "--json").json
    assert (changed["cron"], changed["catch_up_seconds"], changed["missed"]) == ("@every 2h", None, "all")
    upcoming = ao.ok("schedules", "next", "timed/nightly", "-n", "3").out.splitlines()
    assert [bool(re.match(r"\S+Z  \S+\+0[12]:00  in ", line)) for line in upcoming] == [True] * 3

    ao.ok("schedules", "pause", "timed/nightly", "-m", "too noisy")
    assert re.search(
        r"paused\s+\S+ ago by key:local: too noisy", ao.ok("schedules", "show", "timed/nightly").out
    )
    ao.ok("schedules", "resume", "timed/nightly")
    assert ao.ok("schedules", "rm", "timed/nightly", "--json").json == {"removed": "timed/nightly"}
    assert ao("schedules", "show", "timed/nightly").status == 3


def test_runs_by_hand_and_the_history_of_ticks(ao: Ao) -> None:
    ao.ok("schedules", "create", "timed/hourly", "--cron", "0 * * * *", "-i", '{"n": 7}', "--paused")
    run = ao.ok("schedules", "trigger", "timed/hourly").out.strip()
    ended = ao.ok("show", run, "--json").json["run"]
    assert (ended["agent"], ended["input"]) == ("timed", {"n": 7})
    days = ("--from", "2026-03-01T00:30:00Z", "--to", "2026-03-01T03:30:00Z")
    planned = ao.ok("schedules", "backfill", "timed/hourly", *days, "--dry-run")
    assert planned.out.splitlines() == [f"2026-03-01T0{hour}:00:00Z  a run" for hour in (1, 2, 3)]
    assert "3 of 3 ticks would get a run" in planned.err
    done = ao.ok("schedules", "backfill", "timed/hourly", *days, "--json").json
    again = ao.ok("schedules", "backfill", "timed/hourly", *days)
    assert "0 of 3 ticks got a run" in again.err
    assert f"has {done['ticks'][0]['run_id']}" in again.out
    history = ao.ok("schedules", "history", "timed/hourly").out.splitlines()
    assert [line.split()[1] for line in history] == ["triggered", *["backfilled"] * 3]
    of_one = ao.ok("schedules", "history", "timed/hourly", "--outcome", "triggered", "--json").json["items"]
    assert [tick["run_id"] for tick in of_one] == [run]
    ao.ok("schedules", "rm", "timed/hourly")


def test_what_is_wrong_is_told_with_the_way_out(ao: Ao) -> None:
    for arguments, status, words in (
        (("create", "timed"), 2, "AGENT/NAME"),
        (("create", "timed/x"), 2, "--every 15m"),
        (("create", "timed/x", "--cron", "61 * * * *"), 5, "cron '61 * * * *' is not valid"),
        (("create", "timed/x", "--cron", "0 1 * * *", "--every", "1h"), 2, "exclude each other"),
        (("create", "timed/x", "--every", "1h", "-i", '{"n": "two"}'), 5, "input.n"),
        (("create", "timed/x", "--every", "1h", "--overlap", "sometimes"), 2, "cancel_previous"),
        (("update", "timed", "--every", "1h"), 4, "ao.toml"),
        (("rm", "timed"), 4, "ao schedules pause timed/cron"),
        (("show", "timed/corn"), 3, "Did you mean timed/cron?"),
        (("backfill", "timed", "--from", "2020-01-01", "--to", "2026-01-01"), 5, "more than 1,000 ticks"),
        (("update", "timed"), 2, "nothing to change"),
    ):
        refused = ao("schedules", *arguments)
        assert (refused.status, words in refused.err) == (status, True), (arguments, refused)
