"""The examples that ask, and that go on where they were cut off."""

import os
import signal
from pathlib import Path

from tests.acceptance.command import Ao, Platform
from tests.platform import children_of, descendants_of, until

from ao import Client

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def test_refunds_asks_before_it_pays_a_large_one(ao: Ao) -> None:
    ao.ok("deploy", str(EXAMPLES / "refunds"))
    small = ao.ok("run", "refunds", "-i", '{"order": "A-1", "cents": 900}', "--wait", "--json").json
    assert (small["output"]["paid"], small["output"]["approved_by"]) == (True, "policy")
    run = ao.ok("run", "refunds", "-i", '{"order": "A-2", "cents": 90000}').out.strip()
    until(lambda: ao.ok("questions", "--json").json["items"])
    assert "paying" not in ao.ok("logs", run).out
    ao.ok("answer", run, "--approve", "--comment", "Called the customer")
    ao.ok("logs", run, "-f")
    output = ao.ok("show", run, "--json").json["run"]["output"]
    assert (output["paid"], output["approved_by"]) == (True, "key:local")
    assert ao.ok("logs", run).out.count("paying") == 1


def test_research_goes_on_where_it_was_killed(ao: Ao, platform: Platform) -> None:
    ao.ok("deploy", str(EXAMPLES / "research"))
    run = ao.ok("run", "research", "-i", '{"seconds": 1.5}').out.strip()
    with Client(home=ao.home) as client:
        handle = client.get_run(run)
        until(lambda: "reading leases.md" in [line.text for line in handle.logs()])
    for supervisor in children_of(platform.process.pid):
        for pid in descendants_of(supervisor):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
    assert ao.ok("logs", run, "-f").status == 0
    shown = ao.ok("show", run, "--json").json
    assert (shown["run"]["state"], shown["run"]["output"]["sources"]) == ("completed", 4)
    assert shown["run"]["attempt"] > 1
    lines = ao.ok("logs", run).out
    assert lines.count("reading fences.md") == 1
    assert lines.count("reading steps.md") == 1
