"""Runs that share a limit, as their own clocks saw it, over the death of the server with its worker."""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path

import pytest
from tests.acceptance.command import Ao
from tests.platform import Up, until

from ao import Client

RUNS = 20
LIMIT = 2

AGENT = """
import os, time
def work(task):
    begun = time.time()
    time.sleep(3600 if task.get("hangs") and os.environ["AO_ATTEMPT"] == "1" else 0.1)
    return [begun, time.time()]
"""

SETTINGS = """
name = "support"
entrypoint = "agent:work"
[concurrency]
limit = 2
key = "customer.id"
"""


@pytest.fixture
def up(alone: Ao) -> Iterator[Up]:
    """With more slots than the limit lets in."""
    up = Up(alone.home, {"AO_SLOTS": "8"})
    up.start()
    project = alone.cwd / "support"
    project.mkdir()
    (project / "ao.toml").write_text(SETTINGS)
    (project / "agent.py").write_text(AGENT)
    alone.ok("deploy", str(project))
    yield up
    up.stop()


def count(home: Path, state: str) -> int:
    with Client(home=home) as client:
        return len(client.list_runs(state=[state], limit=200).items)


def most_at_once(spans: Sequence[Sequence[float]]) -> int:
    edges = sorted([(begun, 1) for begun, _ in spans] + [(ended, -1) for _, ended in spans])
    return max(accumulate(step for _, step in edges))


def test_a_limit_holds_whatever_dies_and_nothing_is_left_behind(alone: Ao, up: Up) -> None:
    with Client(home=alone.home) as client:
        customer = {"customer": {"id": "acme"}}
        made = [client.run("support", {**customer, "hangs": True}).id for _ in range(LIMIT)]
        made += [client.run("support", customer).id for _ in range(RUNS - LIMIT - 1)]
    made.append(alone.ok("run", "support", "--concurrency-key", "acme").out.strip())
    shown = alone.ok("show", made[-1]).out
    assert (
        f"it waits for {made[0]}, {made[1]}: 2 runs go on at a time of support with the concurrency key acme"
        in shown
    )
    assert f"in the queue before it: {RUNS - LIMIT - 1}" in shown
    until(lambda: count(alone.home, "running") == LIMIT)
    up.kill()
    up.start()
    until(lambda: count(alone.home, "completed") == RUNS)
    with Client(home=alone.home) as client:
        spans = [client.get_run(run).result() for run in made]
        assert most_at_once(spans) <= LIMIT
        # Nobody who is gone holds a place: two go on at the same time again.
        again = [client.run("support", {"hangs": True}, concurrency_key="acme") for _ in range(LIMIT)]
        until(lambda: count(alone.home, "running") == LIMIT)
        for run in again:
            run.cancel()
