"""Images of AO and of agents, built by a real Docker Engine and kept by a real registry."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.command import Ao
from tests.acceptance.projects import project
from tests.docker import Engine
from tests.index import add_wheel
from tests.platform import until
from tests.registry import registry
from tests.stack import image_build

HARDENED = ("--init", "--read-only", "--tmpfs", "/tmp:size=64m", "--cap-drop", "ALL", "--network", "none",
            "--security-opt", "no-new-privileges")  # fmt: skip
OPENED = ("--security-opt", "seccomp=unconfined", "--security-opt", "systempaths=unconfined")
"""What sandboxes of namespaces need."""
CANARY = "canary-9f2c.internal"
"""A setting of the host's pip, which is nobody else's business."""


@pytest.fixture(scope="module")
def ao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ao]:
    root = tmp_path_factory.mktemp("image")
    command = Ao(root / "home", root)
    yield command
    command.end()


def test_an_image_is_built_once_pushed_and_pulled_and_carries_no_secret(
    ao: Ao, docker_engine: Engine, base_image: str, tmp_path: Path
) -> None:
    with registry(tmp_path) as address:
        name = f"{address}/team/ao"
        built = image_build(
            ao, docker_engine, "--base", base_image, "--tag", name, "--push", PIP_TRUSTED_HOST=CANARY
        )
        assert [item["reference"] for item in built["pushed"]] == built["tags"]
        again = image_build(ao, docker_engine, "--base", base_image, "--tag", name)
        assert (again["was_there"], again["content"], again["id"]) == (True, built["content"], built["id"])

        docker_engine.docker("image", "rm", "--force", built["id"])
        pushed = f"{name}@{built['pushed'][-1]['digest']}"
        docker_engine.docker("pull", "--quiet", pushed)
    (facts,) = json.loads(docker_engine.docker("image", "inspect", pushed))
    assert facts["Id"] == built["id"]
    config = facts["Config"]
    assert config["User"] == "10001:10001"
    assert config["Healthcheck"]["Test"] == ["CMD", "ao", "health"]
    assert config["Labels"]["ao.content"] == built["content"]
    assert config["Labels"]["org.opencontainers.image.base.name"] == base_image
    assert built["tags"][-1].endswith(built["content"].removeprefix("sha256:")[:12])
    said = docker_engine.docker("run", "--rm", *HARDENED, pushed, "version", "--json")
    assert json.loads(said)["ao"] == config["Labels"]["org.opencontainers.image.version"]
    for options, level in (((), "landlock"), (OPENED, "namespaces")):
        doctor = docker_engine.docker("run", "--rm", *HARDENED, *options, pushed, "doctor", "--json")
        checks = {check["name"]: check["message"] for check in json.loads(doctor)["checks"]}
        assert checks["sandbox"].startswith(level)
    layers = tmp_path / "layers.tar"
    docker_engine.docker("save", "--output", str(layers), pushed)
    assert subprocess.run(["grep", "-c", CANARY, layers], check=False, capture_output=True).stdout == b"0\n"


def test_the_image_of_an_agent_serves_it_without_network_and_deploys_it_once(
    ao: Ao, docker_engine: Engine, base_image: str, tmp_path: Path
) -> None:
    add_wheel(tmp_path, "aoprobe", "1.2")
    agent = "import aoprobe\n\n\ndef main(request):\n    return {'echo': request, 'probe': aoprobe.VERSION}\n"
    directory = project(tmp_path / "probed", "probed", agent=agent)
    (directory / "requirements.txt").write_text("aoprobe\n")
    index = (tmp_path / "simple" / "aoprobe").as_uri()
    built = image_build(ao, docker_engine, str(directory), "--base", base_image, PIP_FIND_LINKS=index)
    for _ in range(2):
        container = docker_engine.docker(
            "run", "--detach", *HARDENED, "--volume", "probed:/var/lib/ao", built["tags"][0]
        )
        try:
            assert used(docker_engine, container) == {"echo": [1], "probe": "1.2"}
        finally:
            docker_engine.docker("rm", "--force", container)


def told(engine: Engine, container: str) -> str:
    """Its state, and all that it said."""
    state = engine.docker("inspect", "--format", "{{json .State}}", container)
    environ = {**os.environ, **engine.variables}
    said = subprocess.run(["docker", "logs", container], env=environ, capture_output=True, check=True)
    return f"{state}\n{(said.stdout + said.stderr).decode()[-4000:]}"


def used(engine: Engine, container: str) -> Any:
    """The output of a run there; the only version is v1, and the container ends well."""
    status = ("inspect", "--format", "{{.State.Health.Status}}", container)
    until(lambda: engine.docker(*status) == "healthy", 300, tell=lambda: told(engine, container))
    ao = ("exec", container, "ao")
    run = json.loads(engine.docker(*ao, "run", "probed", "--input", "[1]", "--wait", "--json"))
    (agent,) = json.loads(engine.docker(*ao, "agents", "--json"))
    assert agent["latest"] == 1
    engine.docker("stop", "--time", "30", container)
    assert engine.docker("inspect", "--format", "{{.State.ExitCode}}", container) == "0"
    return run["output"]


def test_without_an_engine_or_a_usable_base_the_command_says_what_to_do(
    ao: Ao, docker_engine: Engine, base_image: str, tmp_path: Path
) -> None:
    absent = ao("image", "build", DOCKER_HOST=f"unix://{tmp_path}/absent.sock")
    assert absent.status == 7
    assert "no Docker engine answers" in absent.err
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    docker_engine.docker("build", "--quiet", "--tag", "ao-test/empty", str(tmp_path))
    empty = ao("image", "build", "--base", "ao-test/empty", **docker_engine.variables)
    assert empty.status == 1
    assert "has no Python that starts" in empty.err
    assert "hint:" in empty.err
    needy = project(tmp_path / "needy", "needy", extra='[build]\nsystem = ["python3", "ao-no-such-package"]')
    lacking = ao("image", "build", str(needy), "--base", base_image, **docker_engine.variables)
    assert lacking.status == 1
    assert "does not have ao-no-such-package, which [build]" in lacking.err
    wrong = ao("image", "build", "--tag", "UPPER", **docker_engine.variables)
    assert wrong.status == 2
