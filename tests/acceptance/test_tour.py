"""The ten-minute tour of the README, as typed."""

import json
import re
from pathlib import Path

from tests.acceptance.command import Ao, Platform


def test_the_tour(ao: Ao, platform: Platform) -> None:
    assert "agent.py" in ao.ok("init", "hello").out
    here = Ao(ao.home, ao.cwd / "hello")

    deployed = here.ok("deploy")
    assert deployed.out.startswith("hello v1 live ")
    assert "ao.toml is valid" in deployed.err
    assert "Next: ao run hello" in deployed.err

    followed = here.ok("run", "hello", "-f")
    assert "attempt 1 on v1" in followed.err
    assert "completed in" in followed.err
    assert json.loads(followed.out)["words"] > 10

    submitted = here.ok("run", "hello")
    run_id = submitted.out.strip()
    assert f"Next: ao logs {run_id} -f" in submitted.err
    assert "writing the report" in here.ok("logs", run_id, "-f").out
    shown = here.ok("show", run_id).out
    assert re.match(rf"run      {run_id}\nhello v1 is completed .* after 1 attempt", shown)
    assert run_id in here.ok("runs").out

    agent = Path(here.cwd / "agent.py")
    agent.write_text(agent.read_text().replace("writing the report", "writing the new report"))
    assert here.ok("deploy", "-m", "A change").out.startswith("hello v2 live ")
    difference = here.ok("diff", "hello", "v1", "2").out
    assert "+" in difference
    assert "writing the new report" in difference

    rolled_back = here.ok("rollback", "hello", "--to", "v1", "--reason", "tour")
    assert "hello v1 is live again (was v2)" in rolled_back.err
    assert "restored: code" in rolled_back.err
    assert "not restored: secrets" in rolled_back.err
    assert here.ok("run", "hello", "--wait", "--json").json["version"] == 1
    assert here.ok("run", "hello", "--wait", "--json", "--version", "v2").json["version"] == 2

    listing = here.ok("deployments", "hello").out
    assert re.search(r"v2\s+succeeded.*A change", listing)
    assert re.search(r"v1\s+live", listing)
    assert platform.facts["url"] in here.ok("doctor").out


def test_a_broken_variant_leaves_the_live_version_alone(ao: Ao) -> None:
    ao.ok("init", "broken")
    ao.ok("deploy", "broken")
    (ao.cwd / "broken" / "requirements.txt").write_text("this-package-does-not-exist-anywhere==1.0\n")
    failed = ao("deploy", "broken")
    assert failed.status == 1
    assert "did not build" in failed.err
    assert "stays live" in failed.err
    assert ao.ok("run", "broken", "--wait", "--json").json["version"] == 1


def test_detached_server_is_found_used_and_stopped(alone: Ao) -> None:
    up = alone.ok("up", "-d", "--port", "0", "--json").json
    try:
        assert Path(up["home"]) == alone.home
        assert alone.ok("agents").out == ""
        again = alone("up", "--port", "0")
        assert again.status == 4
        assert "another AO server is using" in again.err
    finally:
        stopped = alone.ok("down", "--json").json
    assert stopped["pid"] == up["pid"]
    assert not (alone.home / "server.json").exists()
    assert alone("down").status == 3
