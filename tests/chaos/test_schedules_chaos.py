"""kill -9 of the server between ticks that are due and the runs that they become: each fires exactly once."""

import random
import signal
import time
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path

from tests.chaos.blows import connect
from tests.platform import Up, until

from ao import Client
from ao.wire.schedules import TickView

SEED = 11
KILLS = 2
SECOND = timedelta(seconds=1)


def deploy(client: Client, scratch: Path) -> None:
    project = scratch / "timed"
    project.mkdir()
    (project / "ao.toml").write_text('name = "timed"\nentrypoint = "agent:main"\n')
    (project / "agent.py").write_text("import os\ndef main(task): return os.environ['AO_SCHEDULED_AT']\n")
    client.deploy(project).wait()


def history(up: Up, limit: int = 1000) -> list[TickView]:
    """Oldest first."""
    with connect(up) as client:
        return client.schedule_ticks("timed", "often", limit=limit).items[::-1]


def ticked_after(up: Up, moment: datetime) -> bool:
    return history(up)[-1].tick > moment


def test_ticks_fire_once_whenever_the_server_is_killed(tmp_path: Path) -> None:
    moments = random.Random(SEED)
    up = Up(tmp_path / "home")
    up.start()
    try:
        with connect(up) as client:
            deploy(client, tmp_path)
            client.create_schedule("timed", "often", cron="@every 1s", missed="all", overlap="allow")
        for _ in range(KILLS):
            until(lambda: history(up, 1), tell=up.log.read_text)
            known = history(up)[-1].tick
            up.signal(signal.SIGSTOP)
            time.sleep(1 + moments.random())  # a tick comes that nobody can fire: due, and not fired
            up.kill()
            up.start()
            until(partial(ticked_after, up, known + SECOND), tell=up.log.read_text)
        with connect(up) as client:
            client.pause_schedule("timed", "often", "counting")
        ticks = history(up)
        assert {second.tick - first.tick for first, second in pairwise(ticks)} == {SECOND}
        assert {tick.outcome for tick in ticks} == {"fired"}
        with connect(up) as client:
            runs = client.list_runs(agent="timed", limit=1000).items
            assert len(runs) == len(ticks)
            assert {run.id for run in runs} == {tick.run_id for tick in ticks}
            results = {tick.run_id: client.get_run(tick.run_id or "").result(timeout=60) for tick in ticks}
        assert [datetime.fromisoformat(str(results[tick.run_id])) for tick in ticks] == [t.tick for t in ticks]
        print(f"{len(ticks)} ticks, {len(runs)} runs, {KILLS} kills, seed {SEED}")
    finally:
        up.stop()
