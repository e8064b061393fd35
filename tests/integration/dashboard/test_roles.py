"""Every page and every form of the dashboard × every role."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.served import ECHO, FUNCTION, Served, served
from tests.visitor import visitor

from ao.dashboard.app import create_dashboard
from ao.dashboard.frame import Guarded
from ao.domain.access import GRANTS, Role
from ao.server.roles import RULES, Of

MINE, OTHER = "mine", "other"
FOR_ALL = {("GET", "/static/{name}"), ("GET", "/login"), ("POST", "/login")}
FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Served]:
    """Nobody works: runs stay as they are."""
    async with served(tmp_path) as running:
        yield running


async def ended_run(server: Served, agent: str) -> str:
    await server.local.deploy(agent, ECHO, toml=FUNCTION)
    run = await server.json("POST", "/v1/runs", {"agent": agent}, status=201)
    await server.json("POST", f"/v1/runs/{run['id']}/cancel")
    return str(run["id"])


def routes_of(server: Served) -> list[tuple[str, Any]]:
    """(method, route), the one that ends the session last."""
    dashboard: Any = create_dashboard(server.services)
    found = [(method, route) for route in dashboard.app.routes for method in route.methods - {"HEAD"}]
    return sorted(found, key=lambda each: each[1].path == "/logout")


async def refused(
    http: httpx.AsyncClient, server: Served, csrf: str, method: str, path: str, agent: str
) -> bool:
    """Whether the visitor may not. Forms name an agent alone: what they then lack is told by another status."""
    origin = {"origin": server.url, "x-csrf-token": csrf}
    more: Any = {"headers": {**origin, **FORM}, "content": f"agent={agent}"} if method == "POST" else {}
    async with http.stream(method, f"/ui{path}", **more) as answer:
        assert answer.status_code < 500, f"{method} {path}: {answer.status_code}"
        assert "/login" not in answer.headers.get("location", "").partition("?")[0] or path == "/logout"
        return answer.status_code == 403


async def test_every_route_is_guarded_or_for_everybody(server: Served) -> None:
    routes = routes_of(server)
    assert {(method, route.path) for method, route in routes if not isinstance(route, Guarded)} == FOR_ALL
    assert {route.needs for _, route in routes if isinstance(route, Guarded)} <= set(RULES)


@pytest.mark.parametrize("role", Role)
async def test_every_page_and_form_lets_in_the_roles_of_its_row_and_no_other(
    server: Served, role: Role
) -> None:
    runs = {agent: await ended_run(server, agent) for agent in (MINE, OTHER)}
    for scope in ([], [MINE]):
        async with visitor(server) as browser:
            await browser.log_in(await server.key_of(role, scope))
            token = re.search(r'name="csrf" value="([^"]+)"', await browser.page("/agents"))
            assert token is not None
            for method, route in routes_of(server):
                if not isinstance(route, Guarded):
                    continue
                granted = RULES[route.needs].permission in GRANTS[role]
                for agent in (MINE,) if route.path == "/logout" else (MINE, OTHER):
                    names = dict.fromkeys(route.param_convertors, "none")
                    path = route.path.format_map(names | {"agent": agent, "run_id": runs[agent], "version": 1})
                    told = await refused(browser.http, server, token[1], method, path, agent)
                    about = method == "POST" or {"agent", "run_id"} & route.param_convertors.keys()
                    case = f"{role} {scope} {method} {path}"
                    if scope and (RULES[route.needs].of is Of.SERVER or (about and agent == OTHER)):
                        assert told, case
                    else:
                        assert told != granted, case
