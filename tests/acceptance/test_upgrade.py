"""A fleet of the previous release is upgraded under load: both releases work side by side on one database.

The next release is this one with one more migration in two parts, so that there always is one.
"""

import json
import re
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from tests.acceptance.command import SECONDS, Ao
from tests.acceptance.fleet import Fleet, client_of, running_fleet
from tests.acceptance.projects import project
from tests.baseline import ROOT, unpack_previous
from tests.platform import until

from ao import Client
from ao.client.handles import RunHandle
from ao.store.sql import migrate
from ao.testing.redis import RedisServer

AGENT = """
from ao_runner import session, step


@step
def double(number):
    return 2 * number


def main(request):
    if request.get("session"):
        session.state["seen"] = session.state.get("seen", 0) + 1
    return [double(request["number"]), session.state["seen"] if request.get("session") else None]
"""
MIGRATION = '''"""What the next release adds, and what it no longer needs."""

from alembic import op

revision = "{next}"
down_revision = "{head}"


def upgrade():
    op.execute("ALTER TABLE run ADD COLUMN of_next INTEGER")
    op.execute("CREATE INDEX of_next ON run (of_next)")


def contract():
    op.execute("DROP INDEX of_next")
'''


@pytest.fixture
def following(tmp_path: Path) -> Path:
    """The next release, to import it from."""
    source = tmp_path / "next"
    shutil.copytree(ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__"))
    after = f"{int(migrate.HEAD) + 1:04}"
    store = source / "ao/store/sql"
    (store / f"migrations/versions/{after}_next.py").write_text(MIGRATION.format(next=after, head=migrate.HEAD))
    text = (store / "migrate.py").read_text()
    for name in ("HEAD", "MIN_READER"):
        text = re.sub(rf'^{name} = ".*"', f'{name} = "{after}"', text, flags=re.MULTILINE)
    (store / "migrate.py").write_text(text)
    return source


@pytest.fixture
def fleet(tmp_path: Path, empty_postgres: str, own_redis: RedisServer) -> Iterator[Fleet]:
    """Of the previous release, until its `source` is another."""
    previous = unpack_previous(tmp_path / "previous")
    with running_fleet(
        tmp_path, {"AO_DATABASE_URL": empty_postgres, "AO_LOG_LEVEL": "error"}, previous
    ) as fleet:
        yield fleet


class Load:
    """Runs in a few sessions, without a pause, through whichever servers are there."""

    def __init__(self) -> None:
        self.clients: list[Client] = []
        self.runs: list[tuple[int, str | None, RunHandle]] = []
        self.failed: list[BaseException] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send)

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(SECONDS)

    def _send(self) -> None:
        number = 0
        while not self._stop.wait(0.5):
            number += 1
            client = self.clients[number % len(self.clients)]
            name = f"s{number % 3}" if number % 2 else None
            request = {"number": number, "session": name is not None}
            try:
                self.runs.append((number, name, client.run("stepped", request, session=name)))
            except BaseException as error:
                self.failed.append(error)
                raise

    def more(self, count: int) -> None:
        """Wait until so many more were accepted."""
        goal = len(self.runs) + count
        until(lambda: len(self.runs) >= goal or self.failed, 60)


def migrate_with(ao: Ao, source: Path, *arguments: str, fleet: Fleet) -> dict[str, object]:
    done = ao("migrate", *arguments, "--json", **fleet.variables, PYTHONPATH=str(source))
    assert done.status == 0, done.err + done.out
    found: dict[str, object] = done.json
    return found


def test_two_releases_work_side_by_side_and_the_earlier_one_is_told_when_it_may_not(
    fleet: Fleet, following: Path, alone: Ao
) -> None:
    server, worker = fleet.start("server", "old-server"), fleet.start("worker", "old-worker")
    server.ao.ok("deploy", str(project(fleet.root / "stepped", "stepped", agent=AGENT)))
    server.ao.ok("schedules", "create", "stepped/kept", "--cron", "0 3 * * *", "-i", '{"number": 1}')
    with Load() as load, client_of(server) as through_old:
        load.clients.append(through_old)
        load.more(3)
        plan = migrate_with(alone, following, "--plan", fleet=fleet)
        assert (plan["beside"], bool(plan["pre"])) == (True, True)
        migrate_with(alone, following, "--pre", fleet=fleet)
        load.more(5)
        refused = alone("migrate", "--post", **fleet.variables, PYTHONPATH=str(following))
        assert (refused.status, "server on" in refused.err, "worker on" in refused.err) == (4, True, True)

        fleet.source = following
        new_server, new_worker = fleet.start("server", "new-server"), fleet.start("worker", "new-worker")
        with client_of(new_server) as through_new:
            load.clients.append(through_new)
            load.more(5)
            server.ao.ok("deploy", str(project(fleet.root / "stepped", "stepped", agent=AGENT)))
            load.clients.remove(through_old)
            load.more(2)
            assert worker.stop().status == 0
            assert server.stop().status == 0
            load.more(3)
            assert not load.failed
            outputs = {number: through_new.get_run(run.id).result(timeout=60) for number, _, run in load.runs}
            assert outputs == {number: [2 * number, outputs[number][1]] for number, _, _ in load.runs}
            for name in ("s0", "s1", "s2"):  # nobody forgot what another one had added
                seen = [outputs[number][1] for number, session, _ in load.runs if session == name]
                assert sorted(seen) == list(range(1, len(seen) + 1))
            assert [each.name for each in through_new.schedules("stepped")] == ["kept"]
            assert new_worker.process.poll() is None

    fleet_of_old(fleet, following, alone)


def fleet_of_old(fleet: Fleet, following: Path, alone: Ao) -> None:
    """After the post part the previous release is refused, at its start and while it is at work."""
    fleet.source = fleet.root / "previous/src"
    late = fleet.start("worker", "late")
    late.process.send_signal(signal.SIGSTOP)
    with closing(psycopg.connect(fleet.variables["AO_DATABASE_URL"], autocommit=True)) as connection:
        connection.execute("UPDATE process SET beat_us = 0 WHERE role = 'worker'")  # it is silent for long
    done = migrate_with(alone, following, "--post", fleet=fleet)
    assert done["post"] == []
    late.process.send_signal(signal.SIGCONT)
    out, err = late.process.communicate(timeout=SECONDS)
    assert (late.process.returncode, json.loads(out)["code"]) == (1, "schema_too_new"), err
    again = alone("worker", "--slots", "1", **fleet.variables, PYTHONPATH=str(fleet.source))
    assert (again.status, "restore the backup" in again.err) == (1, True)
