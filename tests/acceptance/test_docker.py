"""`ao up` with AO_SANDBOX=docker, as its users have it."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.acceptance.command import Ao, Platform, platform_up
from tests.docker import Engine
from tests.platform import until

from ao.sandbox.docker.executor import LABEL

HELLO = Path(__file__).resolve().parents[2] / "examples" / "hello"
MOODY = """\
import os, time


def main(request):
    print("in", os.uname().nodename, "as", os.getuid(), "attempt", os.environ["AO_ATTEMPT"], flush=True)
    if request == "flaky" and os.environ["AO_ATTEMPT"] == "1":
        raise ConnectionError("not yet")
    if request == "hungry":
        kept = [bytearray(1 << 20) for _ in range(4096)]
    if request == "slow":
        time.sleep(600)
    return request
"""
TWICE = """\
import os, time

def main():
    print("up", flush=True)
    if os.environ["AO_ATTEMPT"] == "1":
        time.sleep(600)
    return "done"
"""
OWN_IMAGE = """\
name = "owner"
entrypoint = "agent:main"
[sandbox]
network = "none"
dockerfile = "image/Dockerfile"
"""
TOML = """\
name = "{name}"
entrypoint = "agent:main"
timeout = "{timeout}"
[retries]
max_retries = 1
initial_delay = "0.1s"
jitter = false
permanent = ["out_of_memory", "timeout"]
[resources]
memory = "128M"
disk = "16M"
[sandbox]
network = "none"
tmp = "16M"
"""


@pytest.fixture(scope="module")
def platform(
    tmp_path_factory: pytest.TempPathFactory, docker_engine: Engine, base_image: str
) -> Iterator[Platform]:
    root = tmp_path_factory.mktemp("docker")
    platform = platform_up(
        Ao(root / "home", root),
        AO_SANDBOX="docker",
        AO_DOCKER_IMAGE=base_image,
        AO_DOCKER_BUILD="none",
        **docker_engine.variables,
    )
    try:
        yield platform
    finally:
        result = platform.stop()
        platform.ao.end()
        assert result.status == 0, result.err
        assert containers(docker_engine) == []


@pytest.fixture(scope="module")
def moody(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Ao:
    for name, timeout in (("moody", "5m"), ("hasty", "2s")):
        project = tmp_path_factory.mktemp(name)
        (project / "agent.py").write_text(MOODY)
        (project / "ao.toml").write_text(TOML.format(name=name, timeout=timeout))
        platform.ao.ok("deploy", str(project))
    return platform.ao


def containers(engine: Engine) -> list[str]:
    return engine.docker("ps", "--all", "--quiet", "--filter", f"label={LABEL}").split()


def test_hello_is_deployed_without_an_image_build_and_runs(platform: Platform, docker_engine: Engine) -> None:
    images = sorted(docker_engine.docker("images", "--all", "--quiet").split())
    platform.ao.ok("deploy", str(HELLO))
    done = platform.ao.ok("run", "hello", "-i", '{"text": "One two. Two."}', "--wait", "--json").json
    assert (done["output"]["words"], done["attempt"]) == (3, 1)
    assert "counting 3 words" in platform.ao.ok("logs", done["id"]).out
    assert sorted(docker_engine.docker("images", "--all", "--quiet").split()) == images


def test_a_failed_attempt_is_tried_again_in_another_container(moody: Ao) -> None:
    done = moody.ok("run", "moody", "-i", '"flaky"', "--wait", "--json").json
    assert (done["output"], done["attempt"]) == ("flaky", 2)
    logs = moody.ok("logs", done["id"]).out
    assert "in agent as 10001 attempt 1" in logs
    assert "in agent as 10001 attempt 2" in logs


def test_too_much_memory_is_told_as_such(moody: Ao) -> None:
    failed = moody("run", "moody", "-i", '"hungry"', "--wait", "--json").json
    assert failed["details"]["error"]["kind"] == "out_of_memory"
    assert "the limit is 128 MiB" in failed["details"]["error"]["message"]


def test_too_much_time_is_told_as_such(moody: Ao, docker_engine: Engine) -> None:
    failed = moody("run", "hasty", "-i", '"slow"', "--wait", "--json").json
    assert failed["details"]["error"]["kind"] == "timeout"
    until(lambda: containers(docker_engine) == [])


def test_logs_stream_while_it_runs_and_cancelling_ends_the_container(moody: Ao, docker_engine: Engine) -> None:
    run = moody.ok("run", "moody", "-i", '"slow"', "--json").json
    until(lambda: "in agent" in moody.ok("logs", run["id"]).out)
    until(lambda: len(containers(docker_engine)) == 1)
    moody.ok("cancel", run["id"])
    until(lambda: containers(docker_engine) == [])
    assert moody.ok("show", run["id"], "--json").json["run"]["state"] == "cancelled"


def test_a_killed_server_leaves_no_container_and_its_run_goes_on(
    tmp_path: Path, docker_engine: Engine, base_image: str
) -> None:
    variables = {"AO_SANDBOX": "docker", "AO_DOCKER_IMAGE": base_image, **docker_engine.variables}
    ao = Ao(tmp_path / "home", tmp_path)
    project = tmp_path / "twice"
    project.mkdir()
    (project / "agent.py").write_text(TWICE)
    (project / "ao.toml").write_text('name = "twice"\nentrypoint = "agent:main"\n[sandbox]\nnetwork = "none"\n')
    first = platform_up(ao, **variables)
    ao.ok("deploy", str(project))
    run = ao.ok("run", "twice", "--json").json
    until(lambda: "up" in ao.ok("logs", run["id"]).out)
    first.stop(signal.SIGKILL)
    until(lambda: containers(docker_engine) == [])
    second = platform_up(ao, **variables)
    until(lambda: ao.ok("show", run["id"], "--json").json["run"]["state"] == "completed")
    assert ao.ok("show", run["id"], "--json").json["run"]["output"] == "done"
    assert second.stop().status == 0
    ao.end()


def test_doctor_tries_a_container(tmp_path: Path, docker_engine: Engine, base_image: str) -> None:
    ao = Ao(tmp_path / "home", tmp_path)
    variables = {"AO_SANDBOX": "docker", **docker_engine.variables}
    good = ao("doctor", AO_DOCKER_IMAGE=base_image, **variables)
    assert "Docker Engine" in good.out
    assert "a container took" in good.out
    bad = ao("doctor", **variables)
    assert f"docker pull python:{sys.version_info[0]}.{sys.version_info[1]}-slim" in bad.out
    assert bad.status == 1
    none = ao("doctor", AO_SANDBOX="docker", DOCKER_HOST=f"unix://{tmp_path}/none")
    assert "no Docker Engine answers" in none.out


def test_an_agent_brings_its_own_dockerfile(
    platform: Platform, tmp_path: Path, docker_engine: Engine, base_image: str
) -> None:
    (tmp_path / "agent.py").write_text("def main(): return open('/words').read()")
    (tmp_path / "ao.toml").write_text(OWN_IMAGE)
    (tmp_path / "image").mkdir()
    dockerfile = tmp_path / "image" / "Dockerfile"
    dockerfile.write_text(f"FROM {base_image}\nRUN echo made-by-the-build > /words\n")
    ao = platform.ao
    deployed = ao.ok("deploy", str(tmp_path))
    assert "RUN echo made-by-the-build" in deployed.out + deployed.err
    done = ao.ok("run", "owner", "--wait", "--json").json
    assert done["output"] == "made-by-the-build\n"
    assert "building" not in ao.ok("logs", done["id"]).out

    tag = docker_engine.docker("images", "--format", "{{.Repository}}:{{.Tag}}", "ao-agent").split()[0]
    docker_engine.docker("rmi", tag)  # as on a worker that has not had it yet
    done = ao.ok("run", "owner", "--wait", "--json").json
    assert (done["output"], done["attempt"]) == ("made-by-the-build\n", 1)
    assert "building the image of image/Dockerfile" in ao.ok("logs", done["id"]).out

    dockerfile.write_text(f"FROM {base_image}\nRUN echo there is no libfoo && exit 9\n")
    broken = ao("deploy", str(tmp_path))
    assert broken.status != 0
    assert "image/Dockerfile does not build" in broken.err
    assert "there is no libfoo" in broken.out + broken.err
    assert ao.ok("run", "owner", "--wait", "--json").json["output"] == "made-by-the-build\n"
