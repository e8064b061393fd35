"""The runs that suites of the dashboard look at mean the same whenever they are made."""

import random
from types import SimpleNamespace
from typing import Any

import pytest

from ao.dashboard.health import ENOUGH_RECENT, record
from ao.store.insights import HOUR_US, Tally, hour_of
from ao.testing import many_runs
from ao.testing.many_runs import AGENTS, COPIES, VERSIONS


@pytest.mark.parametrize("runs", [8_000, 16_000])
def test_one_agent_fails_in_every_minute_of_the_hour(runs: int) -> None:
    deployed: Any = {agent: [SimpleNamespace(id=agent)] * VERSIONS for agent in AGENTS}
    for minute in range(0, 60, 5):
        now_us = 500_000 * HOUR_US + minute * 60_000_000
        made = list(many_runs._rows(deployed, runs // COPIES, now_us, random.Random(7)))
        failing = [agent for agent in AGENTS if _is_failing([r for r in made if r["agent"] == agent], now_us)]
        assert failing == [AGENTS[0]], f"minute {minute}"


def _is_failing(made: list[dict[str, Any]], now_us: int) -> bool:
    live = [
        Tally(
            row["agent"],
            VERSIONS,
            row["state"],
            row["bucket"],
            row["hour_us"] >= hour_of(now_us) - HOUR_US,
            COPIES,
        )
        for row in made
        if row["version"] == VERSIONS and row["state"] in ("completed", "failed")
    ]
    recent = record(tally for tally in live if tally.recent)
    return (recent if recent.ended >= ENOUGH_RECENT else record(live)).is_failing
