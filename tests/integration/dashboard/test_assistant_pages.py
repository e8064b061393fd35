"""Assistants in the dashboard: what a name means, what it has meant, and another version by whom may."""

import re
from pathlib import Path

import pytest
from tests.served import ECHO, FUNCTION, served
from tests.statements import count_statements
from tests.visitor import visitor

from ao.store.sql.store import SqlStore

ONE = "/agents/support/assistants/night"


async def test_a_name_is_read_and_made_to_mean_an_earlier_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(tmp_path) as server, visitor(server) as browser, visitor(server) as viewer:
        await server.local.deploy("support", ECHO, toml=FUNCTION)
        made = {"name": "night", "agent": "support", "description": "By night"}
        await server.json("POST", "/v1/assistants", made, status=201)
        await server.json("PATCH", "/v1/assistants/night", {"description": "Later"})
        await browser.log_in()
        await viewer.log_in(await server.key_of("viewer"))
        await browser.page("/")
        listed = await browser.page("/assistants")
        assert f'href="/ui{ONE}"' in listed
        assert "the agent's own" in listed
        store = server.services.store
        assert isinstance(store, SqlStore)
        statements = count_statements(store.engine, monkeypatch)
        page = await browser.page(ONE)
        assert 0 < len([sql for sql in statements if "FROM login" not in sql]) <= 3
        assert "Later" in page
        assert "ao assistants show night" in page
        done = await browser.send(page, f'action="/ui{ONE}/latest', {"version": "1", "message": "Better"})
        assert done.headers["location"] == f"/ui{ONE}"
        after = await browser.page(ONE)
        assert "By night" in after
        assert "Better" in after
        seen = await viewer.page(ONE)
        assert "/latest" not in seen
        token = re.search(r'name="csrf" value="([^"]+)"', seen)
        assert token is not None
        refused = await viewer.post(f"/ui{ONE}/latest", {"csrf": token[1], "version": "2"})
        assert refused.status_code == 403
        assert "It has no versions" in await browser.page("/agents/support/assistants/support")
        await browser.page("/agents/another/assistants/night", status=404)
