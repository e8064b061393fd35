"""The procedures of docs/operations.md, by the commands that stand there."""

import os
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests import documented
from tests.acceptance.command import Ao, Platform, platform_up
from tests.acceptance.fleet import client_of, running_fleet
from tests.acceptance.projects import project
from tests.databases import IN_CI, missing
from tests.platform import until

from ao import Client
from ao.ids import new_run_id
from ao.store.records import NewRun, Payload, RunFilter
from ao.store.sql import open_postgres
from ao.testing import postgres

LARGE = "x" * 100_000
"""Kept as a blob."""


def environment(**variables: str) -> dict[str, str]:
    """Of somebody who follows the page: `ao` and Postgres's commands are in the path."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("AO_")}
    binaries = postgres.find_binaries(system_only=IN_CI)
    if binaries is None or not (binaries / "pg_dump").exists():
        missing("no pg_dump: install postgresql")
    path = os.pathsep.join((str(Path(sys.executable).parent), str(binaries), own["PATH"]))
    return {**own, "PATH": path, **variables}


@contextmanager
def submitting(client: Client) -> Iterator[list[str]]:
    """Runs without a pause; yields the ids of those that were accepted."""
    accepted: list[str] = []
    stop = threading.Event()

    def submit() -> None:
        while not stop.wait(0.05):
            accepted.append(client.run("echo", {"text": LARGE}).id)

    thread = threading.Thread(target=submit)
    thread.start()
    try:
        yield accepted
    finally:
        stop.set()
        thread.join(60)


def follow(page_heading: str, block: int, environ: dict[str, str], cwd: Path) -> None:
    for command in documented.commands("operations.md", page_heading)[block]:
        documented.execute(command, environ, cwd)


def found_again(client: Client, before: list[str]) -> None:
    """What was accepted before the backup began is there, and ends; new runs work; the secret can be opened."""
    for run in before:
        assert client.get_run(run).result(timeout=60)["echo"] == {"text": LARGE}
    again = client.run("echo", {"text": LARGE}).result(timeout=60)
    assert (again["echo"], again["token"]) == ({"text": LARGE}, "swordfish-1234")


def deploy(platform: Platform, root: Path) -> None:
    platform.ao.ok("secrets", "set", "TOKEN", stdin="swordfish-1234")
    platform.ao.ok("deploy", str(project(root / "echo", "echo", extra='secrets = ["TOKEN"]')))


def test_one_machine(tmp_path: Path, alone: Ao) -> None:
    platform = platform_up(alone)
    deploy(platform, tmp_path)
    backup = tmp_path / "backup"
    backup.mkdir()
    with client_of(platform) as client, submitting(client) as accepted:
        until(lambda: len(accepted) > 5, 60)
        before = list(accepted)
        environ = environment(AO_HOME=str(alone.home), BACKUP=str(backup))
        follow("One machine", 0, environ, tmp_path)
    assert platform.stop().status == 0

    restored = Ao(tmp_path / "restored", tmp_path)
    environ |= {"AO_HOME": str(restored.home), "AO_PORT": "0"}
    try:
        follow("One machine", 1, environ, tmp_path)
        server = restored.ok("doctor", "--json").json
        assert server["ok"], server
        with Client(home=restored.home) as client:
            found_again(client, before)
    finally:
        restored.ok("down")


def test_a_backup_is_refused_where_it_would_overwrite_or_is_not_whole(tmp_path: Path, alone: Ao) -> None:
    assert alone("backup", str(tmp_path / "none")).status == 3
    platform = platform_up(alone)
    deploy(platform, tmp_path)
    made = alone.ok("backup", "copy", "--json").json
    assert made["blobs"] >= 3
    assert made["keys"] == ["secrets.key", "key"]
    assert platform.stop().status == 0
    again = alone("backup", "copy")
    assert (again.status, "exists" in again.err) == (4, True)
    over = alone("restore", "copy")
    assert (over.status, "has a database already" in over.err) == (4, True)

    other = Ao(tmp_path / "other", tmp_path)
    blob = next((tmp_path / "copy/blobs/blobs/sha256").iterdir())
    content = blob.read_bytes()
    blob.unlink()
    blob.write_bytes(content[:-1] + b"?")
    damaged = other("restore", "copy")
    assert (damaged.status, blob.name in damaged.err) == (5, True)
    blob.unlink()
    lacking = other("restore", "copy")
    assert (lacking.status, f"{made['blobs'] - 1} of {made['blobs']} blobs" in lacking.err) == (5, True)
    blob.write_bytes(content)
    assert other.ok("restore", "copy", "--json").json["blobs"] == made["blobs"]
    assert other("restore", "copy/blobs").status == 5
    on_postgres = other("backup", "more", AO_DATABASE_URL="postgresql://db/ao")
    assert (on_postgres.status, "docs/operations.md" in on_postgres.err) == (2, True)


def test_postgres(tmp_path: Path, postgres_url: str, postgres_server: postgres.PostgresServer) -> None:
    backup = tmp_path / "backup"
    backup.mkdir()
    with running_fleet(tmp_path, {"AO_DATABASE_URL": postgres_url}) as fleet:
        server, _ = fleet.start("server", "server"), fleet.start("worker", "worker")
        deploy(server, tmp_path)
        with client_of(server) as client, submitting(client) as accepted:
            until(lambda: len(accepted) > 5, 60)
            before = list(accepted)
            environ = environment(BACKUP=str(backup), **fleet.variables)
            follow("Postgres", 0, environ, tmp_path)
        key = (server.ao.home / "key").read_text()
    name = postgres_server.create()
    try:
        variables = {
            "AO_DATABASE_URL": postgres_server.url(name),
            "AO_BLOBS": str(tmp_path / "restored"),
            "AO_SECRETS_KEY": fleet.variables["AO_SECRETS_KEY"],
        }
        follow("Postgres", 1, {**environ, **variables}, tmp_path)
        (tmp_path / "again").mkdir()
        with running_fleet(tmp_path / "again", variables) as again:
            server, _ = again.start("server", "server"), again.start("worker", "worker")
            with Client(server.facts["url"], key) as client:
                found_again(client, before)
    finally:
        postgres_server.drop(name)


async def test_postgres_to_any_moment(tmp_path: Path) -> None:
    with postgres.running(system_only=IN_CI) as server:
        url = server.url(server.create())
        store = await open_postgres(url)
        before = {(await store.runs.create(new_run())).run_id for _ in range(20)}
        backup = tmp_path / "backup"
        backup.mkdir()
        environ = environment(BACKUP=str(backup), AO_DATABASE_URL=url)
        follow("Postgres, to any moment", 0, environ, tmp_path)
        await store.close()
        database = url.partition("@/")[2].partition("?")[0]
    with postgres.running_on(backup / "data", system_only=IN_CI) as copy:
        store = await open_postgres(copy.url(database))
        assert {run.id for run in await store.runs.list(RunFilter(), 100)} == before
        await store.check()
        await store.close()


def new_run() -> NewRun:
    return NewRun(new_run_id(), "support", "prod", Payload("{}"), "key:dev")


@pytest.fixture(autouse=True)
def tar_is_there() -> None:
    if shutil.which("tar") is None:
        missing("no tar")
