"""A schedule in the dashboard: its history, pause, resume and a run now, by whom may."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.served import ECHO, Served, served
from tests.statements import count_statements
from tests.visitor import Visitor, visitor

from ao.ids import RunId
from ao.store.sql.store import SqlStore

TOML = 'entrypoint = "agent:work"\nretries = 0\ncron = "0 7 1 1 *"\ncron_input = { report = "year" }'
ONE = "/agents/reports/schedules/cron"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, worker=True) as running:
        await running.local.deploy("reports", ECHO, toml=TOML)
        yield running


@pytest.fixture
async def browser(server: Served) -> AsyncIterator[Visitor]:
    async with visitor(server) as new:
        await new.log_in()
        yield new


async def test_it_is_run_now_paused_and_resumed(
    server: Served, browser: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert f'href="/ui{ONE}"' in await browser.page("/schedules")
    page = await browser.page(ONE)
    assert "No tick has come yet" in page
    assert "ao schedules trigger reports/cron" in page
    answer = await browser.send(page, f'action="/ui{ONE}/trigger')
    run = await server.local.result(RunId(answer.headers["location"].rpartition("/")[2]))
    assert await server.local.output(run) == {"report": "year"}
    store = server.services.store
    assert isinstance(store, SqlStore)
    statements = count_statements(store.engine, monkeypatch)
    history = await browser.page(ONE)
    assert 0 < len([sql for sql in statements if "FROM login" not in sql]) <= 3
    assert re.search(rf'triggered</span></td>.*href="/ui/runs/{run.id}"', history, re.DOTALL)
    paused = await browser.send(history, f'action="/ui{ONE}/pause', {"reason": "Holidays"})
    assert paused.headers["location"] == f"/ui{ONE}"
    shown = await browser.page(ONE)
    assert "Paused by key:local" in shown
    assert "Holidays" in shown
    assert "ao schedules resume reports/cron" in shown
    await browser.send(shown, f'action="/ui{ONE}/resume')
    assert "Paused by" not in await browser.page(ONE)


async def test_a_viewer_sees_it_and_does_nothing(server: Served) -> None:
    async with visitor(server) as viewer, visitor(server) as stranger:
        await viewer.log_in(await server.key_of("viewer"))
        page = await viewer.page(ONE)
        assert "/trigger" not in page
        assert "/pause" not in page
        token = re.search(r'name="csrf" value="([^"]+)"', page)
        assert token is not None
        for action in ("trigger", "pause", "resume"):
            assert (await viewer.post(f"/ui{ONE}/{action}", {"csrf": token[1]})).status_code == 403
        await stranger.log_in(await server.key_of("admin", ["another"]))
        await stranger.page(ONE, status=403)
