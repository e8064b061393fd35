"""What a fleet that has nothing to do asks of its database."""

import time
from collections import Counter
from pathlib import Path

from tests.acceptance.fleet import client_of, running_fleet
from tests.acceptance.projects import project

from ao.testing.postgres import PostgresServer
from ao.testing.redis import RedisServer

SECONDS = 6.0
PATIENCE_SECONDS = 60.0
"""So long it may take to come to rest."""
MOST_OF_A_SERVER, MOST_OF_A_WORKER = 2.5, 1.0
"""Statements a second."""
AS_SHIPPED = {"AO_LEASE_SECONDS": "12", "AO_HEARTBEAT_SECONDS": "3"}


def test_a_fleet_at_rest_asks_little_and_begins_no_transaction(
    tmp_path: Path, postgres_server: PostgresServer, postgres_url: str, redis_server: RedisServer
) -> None:
    variables = {**AS_SHIPPED, "AO_DATABASE_URL": postgres_url, "AO_REDIS_URL": redis_server.url}
    with running_fleet(tmp_path, variables) as fleet:
        server, *_ = fleet.start("server", "server"), fleet.start("worker", "one"), fleet.start("worker", "two")
        server.ao.ok("deploy", str(project(tmp_path / "echo", "echo")))
        with client_of(server) as client:
            client.run("echo").result(timeout=60)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not rests(statements := asked(postgres_server)):
            assert time.monotonic() < deadline, Counter(" ".join(text.split())[:60] for text in statements)


def asked(server: PostgresServer) -> list[str]:
    with server.telling_statements() as told:
        time.sleep(SECONDS)
        return told()


def rests(statements: list[str]) -> bool:
    few = len(statements) <= (MOST_OF_A_SERVER + 2 * MOST_OF_A_WORKER) * SECONDS
    return few and not any(text.lstrip().startswith(("BEGIN", "COMMIT")) for text in statements)
