"""How a server process ends: by an order, by a crash of one of its parts, in the middle of work."""

import json
import signal
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.platform import Up, processes_mentioning, until

from ao import Client
from ao.domain.deployment import DeploymentStatus
from ao.domain.run import RunState

AGENT = """
import os, pathlib, time
def work(task):
    print("on", flush=True)
    time.sleep(task)
    return "done"
"""


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    up = Up(tmp_path / "home", {"AO_GRACE_SECONDS": "60", "AO_SWEEP_SECONDS": "0.1"})
    up.start()
    try:
        yield up
    finally:
        up.stop()


def connect(up: Up) -> Client:
    return Client(home=up.home)


def deploy(up: Up, directory: Path, **files: str) -> None:
    project = directory / "agent"
    project.mkdir()
    (project / "ao.toml").write_text('name = "slow"\nentrypoint = "agent:work"\n')
    (project / "agent.py").write_text(AGENT)
    with connect(up) as client:
        assert client.deploy(project).wait().view.status is DeploymentStatus.SUCCEEDED


def readiness(up: Up) -> tuple[int, str]:
    url = json.loads((up.home / "server.json").read_text())["url"]
    try:
        with urllib.request.urlopen(f"{url}/readyz") as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_followers_are_served_while_the_server_drains(up: Up, tmp_path: Path) -> None:
    deploy(up, tmp_path)
    with connect(up) as client:
        run = client.run("slow", 600)
        lines = run.logs(follow=True)
        assert next(lines).text == "on"
        assert readiness(up)[0] == 200
        up.signal(signal.SIGTERM)
        until(lambda: "draining" in readiness(up)[1])
        assert readiness(up)[0] == 503
        run.cancel()
        assert run.wait(timeout=90).state == RunState.CANCELLED
    until(lambda: not up.alive)
    assert up.status == 0


def test_a_part_that_crashes_ends_the_process_with_a_clear_log(up: Up, tmp_path: Path) -> None:
    deploy(up, tmp_path)
    with connect(up) as client:
        run = client.run("slow", 600)
        assert next(run.logs(follow=True)).text == "on"
    with sqlite3.connect(up.home / "ao.db", timeout=10) as database:
        database.execute("ALTER TABLE run_delayed RENAME TO gone")
    database.close()
    until(lambda: not up.alive)
    assert up.status not in (0, None)
    assert '"a part crashed; the process ends"' in up.log.read_text()
    until(lambda: not processes_mentioning(str(up.home)), tell=lambda: processes_mentioning(str(up.home)))
    with sqlite3.connect(up.home / "ao.db") as database:
        database.execute("ALTER TABLE gone RENAME TO run_delayed")
    database.close()
    up.start()
    with connect(up) as client:
        until(lambda: client.get_run(run.id).view.state is RunState.RUNNING)
        client.get_run(run.id).cancel()


def test_a_build_that_a_kill_cut_off_is_failed_and_leaves_nothing(up: Up, tmp_path: Path) -> None:
    deploy(up, tmp_path)
    (up.home / "work" / "env-left").mkdir()
    (up.home / "work" / "env-left" / "file").touch()
    (up.home / "work" / "env-left").chmod(0o500)
    with sqlite3.connect(up.home / "ao.db", timeout=10) as database:
        database.execute("UPDATE deployment SET status = 'building' WHERE version = 1")
    database.close()
    up.kill()
    up.start()
    with connect(up) as client:
        deployment = client.deployment("slow", 1).view
    assert deployment.status is DeploymentStatus.FAILED
    assert deployment.error == "the server stopped during the build"
    assert list((up.home / "work").iterdir()) == []
