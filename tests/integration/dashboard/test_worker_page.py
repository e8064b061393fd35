"""The workers in the dashboard: what they have, do and run, why runs wait, and one that is drained."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.served import ECHO, Served, served
from tests.statements import count_statements
from tests.visitor import visitor

from ao.domain.placement import Amounts, Offer
from ao.ids import new_worker_id
from ao.store.sql.store import SqlStore

TOML = 'entrypoint = "agent:work"\nretries = 0\n[placement]\nrequires = { gpu = "a100" }\nmemory = "64G"'


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as running:
        offer = Offer({"zone": "eu"}, Amounts(16 << 30, 8000, 0))
        store = running.services.store
        await store.workers.register(new_worker_id(), "box-1", 4, "namespaces", 10**12, offer, "1.0")
        await running.local.deploy("trainer", ECHO, toml=TOML)
        yield running


async def test_it_says_what_workers_have_and_why_runs_wait(
    server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = await server.local.submit("trainer")
    store = server.services.store
    assert isinstance(store, SqlStore)
    async with visitor(server) as admin:
        await admin.log_in()
        await admin.page("/workers")
        statements = count_statements(store.engine, monkeypatch)
        page = await admin.page("/workers")
        assert 0 < len([sql for sql in statements if "FROM login" not in sql]) <= 3
        for words in (
            "0 of 4 slots",
            "0 MiB of 16 GiB memory",
            "zone=eu",
            "label gpu=a100 and 64 GiB of memory",
            "needs label gpu=a100; no worker has it",
            "needs 64 GiB of memory; the largest worker has 16 GiB of memory",
        ):
            assert words in page
        assert "no worker has it" in await admin.page(f"/runs/{run_id}")


async def test_one_that_fits_takes_the_run_and_is_drained_by_an_admin(server: Served) -> None:
    run_id = await server.local.submit("trainer")
    offer = Offer({"gpu": "a100"}, Amounts(80 << 30, 8000, 0))
    store, worker_id = server.services.store, new_worker_id()
    await store.workers.register(worker_id, "box-2", 4, "namespaces", 10**12, offer)
    (claim,) = await store.runs.claim(worker_id, 4)
    assert claim.run_id == run_id
    async with visitor(server) as admin, visitor(server) as viewer, visitor(server) as other:
        await admin.log_in()
        page = await admin.page("/workers")
        assert "64 GiB of 80 GiB memory" in page
        assert f'href="/ui/runs/{run_id}"' in page
        answer = await admin.send(page, f'action="/ui/workers/{worker_id}/drain')
        assert answer.headers["location"] == "/ui/workers"
        assert "draining" in await admin.page("/workers")
        assert await store.runs.claim(worker_id, 4) == []
        await viewer.log_in(await server.key_of("viewer"))
        assert "/drain" not in await viewer.page("/workers")
        await other.log_in(await server.key_of("viewer", ["another"]))
        assert str(run_id) not in await other.page("/workers")
    seen = await server.json("GET", "/v1/workers")
    assert [(item["name"], item["draining"]) for item in seen["workers"]] == [("box-1", False), ("box-2", True)]
    assert [run["id"] for run in seen["workers"][1]["runs"]] == [run_id]
    (entry,) = (await server.json("GET", "/v1/audit?action=worker.drain"))["items"]
    assert entry["target"] == f"worker:{worker_id}"
    await server.problem("POST", "/v1/workers/nobody/drain", status=404)


async def test_one_that_takes_nothing_now_says_why(server: Served) -> None:
    store = server.services.store
    await store.workers.heartbeat((await store.workers.list())[0].id, 10**12, 0, "its disk is full")
    run_id = await server.local.submit("trainer")
    async with visitor(server) as admin:
        await admin.log_in()
        page = await admin.page("/workers")
        assert "holds" in page
        assert "It takes nothing now: its disk is full." in page
    why = (await server.json("GET", f"/v1/runs/{run_id}"))["why_pending"]
    assert why.startswith("needs label gpu=a100; no worker has it; needs 64 GiB of memory")
    (seen,) = (await server.json("GET", "/v1/workers"))["workers"]
    assert (seen["hold"], seen["draining"]) == ("its disk is full", False)
