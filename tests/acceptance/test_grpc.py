"""gRPC as users have it: a client that was generated from the .proto files, in a process of its own."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import generate_proto
import pytest
from tests.acceptance.command import Ao, platform_up
from tests.platform import Up, until

import ao as ao_package
from ao.testing.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
SLOW = """
import pathlib, time
def work(task):
    for n in range(5):
        yield n
    while not pathlib.Path(task).exists(): time.sleep(0.05)
"""
FOLLOW = """
import sys
for event in follow(sys.argv[1]):
    print(event.seq, flush=True)
print("end", flush=True)
"""


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    up = Up(tmp_path / "home", {"AO_GRPC_PORT": str(free_port())})
    up.start()
    try:
        yield up
    finally:
        up.stop()


def documented_client() -> str:
    page = (ROOT / "docs" / "grpc.md").read_text()
    found = re.search(r"<!-- begin client -->\n\n```python\n(.*?)```\n\n<!-- end client -->", page, re.DOTALL)
    assert found is not None
    return found[1]


def client(generated: Path, script: str, up: Up, *arguments: str) -> "subprocess.Popen[str]":
    """A Python that has the generated modules and not those of AO."""
    package = generated / "ao"
    if not package.exists():
        generate_proto.generate(generated)
        (package / "__init__.py").touch()  # hides the AO of this environment
    check = f"import ao; assert ao.__file__.startswith({str(generated)!r}), ao.__file__\n"
    path = generated / "client.py"
    path.write_text(check + script)
    own = {name: value for name, value in os.environ.items() if not name.startswith("AO_")}
    port = up.settings["AO_GRPC_PORT"]
    key = (up.home / "key").read_text().strip()
    return subprocess.Popen(
        [sys.executable, str(path), *arguments],
        env={**own, "ADDRESS": f"127.0.0.1:{port}", "KEY": key, "PYTHONPATH": str(generated)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_client_of_the_documentation_works(up: Up, tmp_path: Path) -> None:
    with ao_package.Client(home=up.home) as api:
        api.deploy(ROOT / "examples" / "hello").wait()
    generated = tmp_path / "generated"
    generated.mkdir()
    with client(generated, documented_client(), up) as process:
        out, err = process.communicate(timeout=90)
    assert process.returncode == 0, err
    result, *events = out.splitlines()
    assert result.startswith("RUN_STATE_COMPLETED {'sentences': 1")
    assert [int(line.split()[0]) for line in events] == list(range(1, len(events) + 1))
    assert '"to":"completed"' in events[-1]
    lines = [json.loads(line) for line in up.log.read_text().splitlines() if "/RunAndWait" in line]
    assert [(line["method"], line["status"], line["key"]) for line in lines] == [("gRPC", "OK", "local")]


def test_a_stream_goes_on_after_kill_9_and_a_restart(up: Up, tmp_path: Path) -> None:
    project = tmp_path / "slow"
    project.mkdir()
    (project / "ao.toml").write_text('name = "slow"\nentrypoint = "agent:work"\nretries = 0\n')
    (project / "agent.py").write_text(SLOW)
    generated = tmp_path / "generated"
    generated.mkdir()
    with ao_package.Client(home=up.home) as api:
        api.deploy(project).wait()
        run = api.run("slow", str(tmp_path / "never"))
    script = documented_client().partition("text = json.dumps")[0] + FOLLOW
    with client(generated, script, up, run.id) as process:
        assert process.stdout is not None
        seen = [process.stdout.readline() for _ in range(5)]
        up.kill()
        up.start()
        with ao_package.Client(home=up.home) as api:
            again = api.get_run(run.id)
            until(lambda: api.get_run(run.id).state == "running", 60)
            again.cancel()
        rest, err = process.communicate(timeout=90)
        assert process.returncode == 0, err
        with ao_package.Client(home=up.home) as api:
            last = api.get_run(run.id).data["last_seq"]
    lines = [*(line.strip() for line in seen), *rest.split()]
    assert lines == [*map(str, range(1, last + 1)), "end"]


def mapped(pid: int) -> str:
    return Path(f"/proc/{pid}/maps").read_text()


def test_who_does_not_ask_for_grpc_does_not_pay_for_it(up: Up, tmp_path: Path) -> None:
    assert "cygrpc" in mapped(up.pid)
    without = Up(tmp_path / "other")
    without.start()
    try:
        assert "cygrpc" not in mapped(without.pid)
        assert "google/_upb" not in mapped(without.pid)
    finally:
        without.stop()


def test_a_server_tells_where_grpc_is_and_a_taken_port_is_named(alone: Ao, tmp_path: Path) -> None:
    first = platform_up(alone, "--grpc-port", "0")
    try:
        port = first.facts["grpc"].rpartition(":")[2]
        (check,) = [each for each in alone.ok("doctor", "--json").json["checks"] if each["name"] == "grpc"]
        assert check["message"] == f"listens on 127.0.0.1:{port}"
        taken = Ao(tmp_path / "other-home", tmp_path)("up", "--port", "0", "--grpc-port", port)
        assert (taken.status, port in taken.err, "AO_GRPC_PORT" in taken.err) == (4, True, True)
        wrong = alone("up", AO_GRPC_PORT="many")
        assert (wrong.status, "AO_GRPC_PORT" in wrong.err) == (5, True)
    finally:
        log = first.stop()
    assert log.status == 0
    assert "fork" not in log.err


def test_the_proto_files_are_written(alone: Ao) -> None:
    written = alone.ok("proto", "some/where", "--json").json["written"]
    assert "some/where/ao/v1/runs.proto" in written
    for path in written:
        assert (alone.cwd / path).read_bytes() == (ROOT / "src" / path.removeprefix("some/where/")).read_bytes()
