"""The exported stack: valid for Compose, and alive on a real Docker Engine."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from tests import documented
from tests.acceptance.command import SECONDS, Ao
from tests.acceptance.projects import project
from tests.databases import IN_CI, install, missing
from tests.docker import Engine
from tests.platform import until
from tests.stack import POSTGRES_IMAGE, REDIS_IMAGE, image_build, make_service_images

from ao import Client

SCHEMA = Path("/usr/lib/python3/dist-packages/compose/config/compose_spec.json")
"""The Compose specification's, as Debian's docker-compose has it."""
UP_SECONDS = 180.0
DOCKER = """\
#!/bin/bash
# `docker compose`, by Debian's docker-compose, which does not know --wait, and calls docker itself.
set -eu
[ "$1" = compose ] || exec /usr/bin/docker "$@"
shift
words=()
for word in "$@"; do [ "$word" = --wait ] || words+=("$word"); done
docker-compose "${words[@]}"
if [ ${#words[@]} -lt $# ]; then
    while [ -n "$(/usr/bin/docker ps --quiet --filter health=starting)" ]; do sleep 0.2; done
fi
"""


@pytest.fixture(scope="module")
def docker_compose() -> str:
    if IN_CI and shutil.which("docker-compose") is None:
        install("docker-compose")
    found = shutil.which("docker-compose")
    if found is None:
        missing("no docker-compose: install it")
    assert found is not None
    return found


@pytest.fixture
def ao(tmp_path: Path) -> Iterator[Ao]:
    command = Ao(tmp_path / "home", tmp_path)
    yield command
    command.end()


@dataclass(frozen=True, slots=True)
class Stack:
    program: str
    directory: Path
    variables: Mapping[str, str]

    def compose(self, *arguments: str, seconds: float = SECONDS) -> str:
        ran = subprocess.run(
            [self.program, *arguments], cwd=self.directory, env={**os.environ, **self.variables},
            capture_output=True, text=True, timeout=seconds, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, f"{' '.join(arguments)}:\n{ran.stdout[-4000:]}{ran.stderr[-4000:]}"
        return ran.stdout.strip()

    def containers(self, service: str) -> list[str]:
        return self.compose("ps", "--quiet", service).split()


@pytest.mark.parametrize("sandbox", ["landlock", "namespaces"])
def test_a_stack_is_valid_for_the_specification_and_for_compose(
    ao: Ao, docker_compose: str, tmp_path: Path, sandbox: str
) -> None:
    directory = tmp_path / "stack"
    ao.ok("export", "compose", "--output", str(directory), "--workers", "4", "--sandbox", sandbox)
    document = yaml.safe_load((directory / "compose.yaml").read_text())
    jsonschema_rs.validator_for(json.loads(SCHEMA.read_text())).validate(document)
    Stack(docker_compose, directory, {}).compose("config", "--quiet")


def test_what_is_written_is_told_and_nothing_is_overwritten(ao: Ao, tmp_path: Path) -> None:
    first = ao.ok("export", "compose", "--json").json
    assert first["image"].startswith("ao:")
    assert {"compose.yaml", ".env", "secrets/database_url"} <= set(first["written"])
    again = ao("export", "compose")
    assert again.status == 4
    assert "--force" in again.err
    forced = ao.ok("export", "compose", "--force")
    assert "kept ao-stack/secrets/secrets_key" in forced.err
    assert "docker compose up" in forced.err


def test_a_stack_deploys_runs_and_survives_the_death_of_a_worker(
    ao: Ao, docker_engine: Engine, base_image: str, docker_compose: str, tmp_path: Path
) -> None:
    built = image_build(ao, docker_engine, "--base", base_image)
    make_service_images(docker_engine, base_image)
    directory = tmp_path / "stack"
    ao.ok("export", "compose", "--image", built["tags"][-1], "--output", str(directory))
    images = {"STACK_POSTGRES_IMAGE": POSTGRES_IMAGE, "STACK_REDIS_IMAGE": REDIS_IMAGE, "STACK_PORT": "0"}
    stack = Stack(docker_compose, directory, {**docker_engine.variables, **images})
    try:
        stack.compose("up", "--detach", seconds=UP_SECONDS)
        key, run = _use(stack, ao, docker_engine, project(tmp_path / "echo", "echo"))
        _back_up_and_restore(stack, tmp_path, key, run)
    except BaseException:
        print(stack.compose("logs", "--no-color", "--tail=60"))
        raise
    finally:
        stack.compose("down", "--volumes", "--timeout", "20", seconds=UP_SECONDS)
    assert docker_engine.docker("volume", "ls", "--quiet") == ""


def _use(stack: Stack, ao: Ao, engine: Engine, directory: Path) -> tuple[str, str]:
    """An API key, and a run that has ended."""
    (server,), workers = stack.containers("server"), stack.containers("worker")
    assert len(workers) == 2
    until(lambda: {_health(engine, container) for container in (server, *workers)} == {"healthy"}, UP_SECONDS)
    key = engine.docker("exec", server, "ao", "keys", "create", "me", "--role", "admin").splitlines()[-1]
    url = "http://" + stack.compose("port", "server", "7433")
    connection: dict[str, str] = {"AO_URL": url, "AO_API_KEY": key}
    deployed = ao("deploy", str(directory), "--json", **connection)
    assert deployed.status == 0, deployed.out + deployed.err
    run = ao("run", "echo", "--input", '{"a": 1}', "--wait", "--json", **connection)
    assert run.json["output"]["echo"] == {"a": 1}, run.out + run.err
    with Client(url, key) as client:
        assert {worker.sandbox for worker in client.status().workers} == {"landlock"}
        assert {(worker.capacity.memory, worker.capacity.cpu) for worker in client.status().workers} == {
            (2 << 30, 1.0)
        }
        runs: list[Any] = [client.run("echo", {"wait": 3}) for _ in range(4)]
        until(lambda: all(worker.running for worker in client.status().workers))
        engine.docker("kill", workers[0])
        for started in runs:
            assert client.get_run(started.id).result(timeout=180)["echo"] == {"wait": 3}
        until(lambda: len(client.status().workers) == 1)
        return key, runs[0].id


def _back_up_and_restore(stack: Stack, scratch: Path, key: str, run: str) -> None:
    """As docs/operations.md has it, word for word."""
    backup, programs = scratch / "backup", scratch / "programs"
    backup.mkdir()
    programs.mkdir()
    (programs / "docker").write_text(DOCKER)
    (programs / "docker").chmod(0o755)
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    environ = {**os.environ, **stack.variables, "PATH": path, "BACKUP": str(backup)}
    saving, restoring = documented.commands("operations.md", "A Compose stack")
    for command in saving:
        documented.execute(command, environ, stack.directory)
    stack.compose("down", "--volumes", "--timeout", "20", seconds=UP_SECONDS)
    restored = Stack(stack.program, backup / "stack", stack.variables)
    for command in restoring:
        documented.execute(command, environ, restored.directory)
    with Client("http://" + restored.compose("port", "server", "7433"), key) as client:
        assert client.get_run(run).result(timeout=60)["echo"] == {"wait": 3}
        assert client.run("echo", {"again": 1}).result(timeout=120)["echo"] == {"again": 1}


def _health(engine: Engine, container: str) -> str:
    return engine.docker("inspect", "--format", "{{.State.Health.Status}}", container)
