"""Sessions in the dashboard: what agents keep is read as a conversation, copied and deleted by whom may."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.served import Served, served
from tests.statements import count_statements
from tests.visitor import Visitor, visitor

from ao.ids import RunId
from ao.store.records import RunFilter
from ao.store.sql.store import SqlStore

AGENT = r"""
from pathlib import Path
from ao_runner import session

def work(task):
    session.state["asked"] = session.state.get("asked", 0) + 1
    session.add("user", task["text"])
    session.add("assistant", {"heard": task["text"]})
    (Path(session.workspace) / "notes.txt").write_text(task["text"])
    return session.state["asked"]
"""
TOML = 'entrypoint = "agent:work"\nretries = 0'
MOST_STATEMENTS = 3


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, worker=True) as running:
        await running.local.deploy("support", {"agent.py": AGENT}, toml=TOML)
        for text in ("<b>hello</b>", "again"):
            run = await running.local.run("support", {"text": text}, session="chat-1")
            assert run.error is None, run.error
        yield running


@pytest.fixture
async def browser(server: Served) -> AsyncIterator[Visitor]:
    async with visitor(server) as new:
        await new.log_in()
        yield new


async def test_a_session_is_listed_and_read(server: Served, browser: Visitor) -> None:
    listed = await browser.page("/sessions")
    assert 'href="/ui/agents/support/sessions/chat-1"' in listed
    assert re.search(r'data-label="messages">4<', listed)
    page = await browser.page("/agents/support/sessions/chat-1")
    assert "&lt;b&gt;hello&lt;/b&gt;" in page
    assert page.index("hello") < page.index("again")
    assert "&#34;asked&#34;: 2" in page
    assert page.count("completed") >= 2
    assert "ao sessions show support chat-1" in page
    history = await browser.page("/agents/support/sessions/chat-1/history")
    assert "ao sessions restore support chat-1 --to 1" in history
    files = await browser.page("/agents/support/sessions/chat-1/files")
    assert "notes.txt" in files
    assert f"AO {server.services.about.version}<" in files
    file = await browser.http.get("/ui/agents/support/sessions/chat-1/file?path=notes.txt")
    assert file.text == "again"
    assert file.headers["content-disposition"].startswith("attachment")
    await browser.page("/agents/support/sessions/chat-1/file?path=nothing", status=404)
    await browser.page("/agents/support/sessions/nothing", status=404)


async def test_a_version_is_restored_and_copied_from_the_history(server: Served, browser: Visitor) -> None:
    one = "/agents/support/sessions/chat-1"
    history = await browser.page(f"{one}/history")
    sent = await browser.send(history, f'action="/ui{one}/restore', {"version": "2"})
    assert sent.headers["location"] == f"/ui{one}"
    page = await browser.page(one)
    assert "&#34;asked&#34;: 1" in page
    assert "again" not in page.partition('id="messages"')[2].partition('id="runs"')[0]
    copied = await browser.send(history, f'action="/ui{one}/copy', {"version": "3"})
    assert "&#34;asked&#34;: 2" in await browser.page(copied.headers["location"].removeprefix("/ui"))
    wrong = await browser.send(history, f'action="/ui{one}/restore', {"version": "99"})
    assert wrong.status_code == 404
    async with visitor(server) as viewer:
        await viewer.log_in(await server.key_of("viewer"))
        assert "/restore" not in await viewer.page(f"{one}/history")


async def test_a_run_that_is_run_again_goes_on_with_its_session(server: Served, browser: Visitor) -> None:
    (first, *_) = await server.services.store.runs.list(RunFilter(agent="support"), 1)
    form = await browser.page(f"/runs/{first.id}/again")
    assert "--session chat-1" in form
    sent = await browser.send(form, f'action="/ui/runs/{first.id}/again', {"input": '{"text": "edited"}'})
    made = await server.local.result(RunId(sent.headers["location"].rpartition("/")[2]))
    assert made.session == "chat-1"
    assert "edited" in await browser.page("/agents/support/sessions/chat-1")


async def test_no_page_costs_more_than_three_statements(
    server: Served, browser: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await browser.page("/")
    store = server.services.store
    assert isinstance(store, SqlStore)
    statements = count_statements(store.engine, monkeypatch)
    one = "/agents/support/sessions/chat-1"
    for path in ("/sessions", "/sessions?agent=support", one, f"{one}/history", f"{one}/files"):
        statements.clear()
        await browser.page(path)
        own = [sql for sql in statements if "FROM login" not in sql]
        assert 0 < len(own) <= MOST_STATEMENTS, f"{path}: {own}"


async def test_it_is_copied_and_deleted_by_whom_may(server: Served, browser: Visitor) -> None:
    one = "/agents/support/sessions/chat-1"
    page = await browser.page(one)
    copied = await browser.send(page, f'action="/ui{one}/copy', {"id": "chat-2"})
    assert copied.headers["location"] == "/ui/agents/support/sessions/chat-2"
    assert "hello" in await browser.page("/agents/support/sessions/chat-2")
    refused = await browser.send(page, f'action="/ui{one}/copy', {"id": "no spaces"})
    assert refused.status_code == 422
    taken = await browser.send(page, f'action="/ui{one}/copy', {"id": "chat-2"})
    assert taken.status_code == 409
    async with visitor(server) as viewer, visitor(server) as stranger:
        await viewer.log_in(await server.key_of("viewer"))
        seen = await viewer.page(one)
        assert "/delete" not in seen
        token = re.search(r'name="csrf" value="([^"]+)"', seen)
        assert token is not None
        for action in ("copy", "restore", "delete"):
            assert (await viewer.post(f"/ui{one}/{action}", {"csrf": token[1]})).status_code == 403
        await stranger.log_in(await server.key_of("admin", ["another"]))
        assert one not in await stranger.page("/sessions")
        await stranger.page(one, status=403)
    gone = await browser.send(page, f'action="/ui{one}/delete')
    assert gone.headers["location"] == "/ui/sessions"
    await browser.page(one, status=404)
