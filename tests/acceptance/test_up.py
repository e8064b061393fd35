"""`ao up` in the foreground: what it says, and how it stops."""

import os
import signal
from pathlib import Path

from tests.acceptance.command import Ao, platform_up
from tests.acceptance.projects import project


def test_prints_where_everything_is_and_stops_on_ctrl_c(alone: Ao) -> None:
    process = alone.start("up", "--port", "0", NO_COLOR="1")
    assert process.stderr is not None
    seen = process.stderr.readline()
    assert seen == f"starting in {alone.home}\n"  # before anything that takes time
    while "ready, waiting for runs" not in seen:
        line = process.stderr.readline()
        assert line, f"ao up ended: {seen}"
        seen += line
    for word in (str(alone.home), "ao.db", "sandbox", "http://127.0.0.1:"):
        assert word in seen
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=90)
    assert process.returncode == 0
    assert not (alone.home / "server.json").exists()


def test_stops_on_sigterm_and_starts_again_with_what_was_there(alone: Ao) -> None:
    first = platform_up(alone)
    alone.ok("deploy", str(project(alone.cwd / "echo", "echo")))
    assert first.stop().status == 0
    second = platform_up(alone)
    try:
        assert alone.ok("run", "echo", "--wait", "--json").json["version"] == 1
    finally:
        assert second.stop().status == 0


def test_second_signal_does_not_wait_for_runs(alone: Ao) -> None:
    platform = platform_up(alone)
    alone.ok("deploy", str(project(alone.cwd / "echo", "echo")))
    run_id = alone.ok("run", "echo", "-i", '{"wait": 60}').out.strip()
    follower = alone.start("logs", run_id, "-f")
    assert follower.stdout is not None
    assert "hello from echo" in follower.stdout.readline()
    platform.process.send_signal(signal.SIGTERM)
    assert platform.process.stderr is not None
    # Two signals at once would count as one.
    while '"stopping"' not in platform.process.stderr.readline():
        assert platform.process.poll() is None
    assert platform.stop(signal.SIGTERM).status == 130


def test_a_taken_port_is_named(alone: Ao, tmp_path: Path) -> None:
    first = platform_up(alone)
    try:
        port = first.facts["url"].rpartition(":")[2]
        other = Ao(tmp_path / "other-home", tmp_path)
        taken = other("up", "--port", port)
        assert taken.status == 4
        assert port in taken.err
        in_background = other("up", "-d", "--port", port)
        assert (in_background.status, port in in_background.err) == (4, True)
    finally:
        first.stop()


def test_mistaken_settings_are_reported_together(alone: Ao) -> None:
    wrong = alone("up", AO_SLOTS="none", AO_LEASE_SECONDS="soon")
    assert wrong.status == 5
    assert "AO_SLOTS" in wrong.err
    assert "AO_LEASE_SECONDS" in wrong.err


def test_down_does_not_touch_a_stranger(alone: Ao) -> None:
    """The file of a server that was killed may name a process that is somebody else's by now."""
    alone.home.mkdir()
    (alone.home / "lock").touch()
    (alone.home / "server.json").write_text(f'{{"url": "http://127.0.0.1:9", "pid": {os.getpid()}}}')
    assert alone("down").status == 3


def test_home_that_cannot_be_made_is_named(alone: Ao) -> None:
    refused = alone("up", "--home", "/proc/no-home")
    assert refused.status == 5
    assert "/proc/no-home" in refused.err


def test_a_degraded_host_is_told_loudly_at_the_start_and_on_the_run(alone: Ao) -> None:
    up = alone("up", "-d", "--port", "0", AO_SANDBOX="degraded", NO_COLOR="1")
    try:
        assert "NOT ENFORCED no file isolation" in up.err
        alone.ok("deploy", str(project(alone.cwd / "echo", "echo")))
        assert "NOT ENFORCED no file isolation" in alone.ok("run", "echo", "-f").err
        assert "NOT ENFORCED " in alone.ok("run", "echo", "--wait").err
        run_id = alone.ok("run", "echo", "--wait", "--json").json["id"]
        assert "NOT ENFORCED no file isolation" in alone.ok("show", run_id).out
        assert "NOT ENFORCED: no file isolation" in alone.ok("doctor").out
    finally:
        alone.ok("down")


def test_a_project_is_live_from_the_first_request_on_and_deployed_once(alone: Ao, tmp_path: Path) -> None:
    directory = project(tmp_path / "first", "first")
    assert alone("health").status == 7
    for version in (1, 1, 2):
        if version == 2:
            (directory / "note.txt").write_text("changed")
        platform = platform_up(alone, "--deploy", str(directory))
        assert alone.ok("health").out.startswith("server: ready at http://127.0.0.1:")
        (agent,) = alone.ok("agents", "--json").json
        assert agent["stable"] == version
        assert platform.stop().status == 0


def test_a_project_that_does_not_build_ends_the_start_and_says_why(alone: Ao, tmp_path: Path) -> None:
    directory = project(tmp_path / "broken", "broken", extra='python = "3.99"')
    result = alone("up", "--port", "0", "--deploy", str(directory))
    assert result.status == 1
    assert "broken v1 did not build: Python 3.99 is not on this host" in result.err
    absent = alone("up", "--port", "0", "--deploy", str(tmp_path / "absent"))
    assert absent.status == 5
    assert "there is no ao.toml" in absent.err
