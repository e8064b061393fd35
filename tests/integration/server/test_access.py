"""Who is let in: keys, roles, origins; and what answers without a key."""

import asyncio
import dataclasses
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import httpx
import pytest
from tests.served import Served, served, until

from ao.control.keys import hash_key
from ao.domain.access import GRANTS, Role
from ao.ids import new_api_key_id
from ao.server import auth
from ao.server.roles import RULES, Of
from ao.store.records import NewApiKey, Webhook
from ao.store.sql.engine import ClockOffset
from ao.store.webhooks import DeliveryFilter
from ao.testing.store_contract import Harness

OPEN = {"/livez", "/readyz"}
RUN = "01936f2e-9c4b-7d3a-8f00-0123456789ab"
MINE, OTHER = "mine", "other"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as api:
        yield api


async def operations(
    api: Served, agent: str = "none", run_id: str = RUN, delivery_id: str = RUN
) -> list[tuple[str, str, str]]:
    """(operation id, method, path with values) of every operation in the OpenAPI document."""
    document = await api.json("GET", "/v1/openapi.json")
    values = defaultdict(
        lambda: RUN,
        run_id=run_id,
        delivery_id=delivery_id,
        agent=agent,
        assistant=agent,  # the agent's own
        version=1,
        name="NONE",
    )
    found = []
    for path, item in document["paths"].items():
        for method, operation in item.items():
            found.append((operation["operationId"], method.upper(), path.format_map(values)))
    return found


async def test_only_health_answers_without_a_key(api: Served) -> None:
    async with httpx.AsyncClient(base_url=api.url, trust_env=False, timeout=60) as anonymous:
        for _, method, path in [*await operations(api), ("", "GET", "/v1/nothing")]:
            answer = await anonymous.request(method, path)
            if path in OPEN:
                assert answer.status_code == 200
                continue
            assert answer.status_code == 401, f"{method} {path}"
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["hint"]


@pytest.mark.parametrize(
    "header", [b"Bearer ao_wrongwrongwrong", b"Bearer", b"Basic YTpi", b"ao_key", b"Bearer \xff"]
)
async def test_a_wrong_key_is_refused(api: Served, header: bytes) -> None:
    answer = await api.http.get("/v1/runs", headers={b"authorization": header})
    assert answer.status_code == 401


MORE: Mapping[str, Mapping[str, object]] = {
    "create_assistant": {"name": "made"},
    "create_schedule": {"name": "nightly", "cron": "0 3 * * *"},
    "create_session": {},
}
"""What else must be in the body of operations that say there which agent they concern."""


async def refused(api: Served, token: str, operation: str, method: str, path: str, agent: str) -> bool:
    """Whether the key is refused. Bodies are as wrong as can be after the door: 422 is let in, too."""
    headers = {"authorization": f"Bearer {token}", "accept": "text/event-stream, application/json"}
    body: object = {"agent": agent, **MORE.get(operation, {})} if RULES[operation].of is Of.BODY else None
    if RULES[operation].of in (Of.QUERY, Of.LIST):
        path += f"?agent={agent}"
    async with api.http.stream(method, path, headers=headers, json=body) as answer:
        return answer.status_code == 403


async def two_agents(api: Served) -> dict[str, str]:
    """Agent → one of its runs, pending for ever: no worker is there."""
    harness = Harness(api.services.store, api.services.store, ClockOffset())
    for agent in (MINE, OTHER):
        await harness.deploy(agent)
    return {
        agent: (await api.services.store.runs.create(harness.new_run(agent))).run_id for agent in (MINE, OTHER)
    }


async def delivery_of(api: Served, agent: str) -> str:
    """A webhook's delivery of a run of this agent."""
    harness = Harness(api.services.store, api.services.store, ClockOffset())
    new = dataclasses.replace(harness.new_run(agent), webhook=Webhook("https://example.invalid/", "NONE"))
    run = await api.services.store.runs.create(new)
    await api.services.store.runs.cancel(run.run_id, "key:test")
    (delivery,) = await api.services.store.webhooks.list(DeliveryFilter(run_id=run.run_id), 1)
    return delivery.id


@pytest.mark.parametrize("role", Role)
async def test_every_route_lets_in_the_roles_of_its_row_and_no_other(api: Served, role: Role) -> None:
    """The matrix: each operation × each role × a key for all agents, for this one, for another one."""
    runs = await two_agents(api)
    everywhere, here = await api.key_of(role), await api.key_of(role, [MINE])
    for agent in (OTHER, MINE):
        found = await operations(api, agent, runs[agent], await delivery_of(api, agent))
        assert {operation for operation, _, _ in found} == set(RULES) | {"livez", "readyz"}
        for operation, method, path in found:
            if path in OPEN:
                continue
            rule = RULES[operation]
            granted = rule.permission in GRANTS[role]
            in_scope = rule.of is Of.NOTHING or (agent == MINE and rule.of is not Of.SERVER)
            case = f"{role} {operation} {agent}"
            assert await refused(api, here, operation, method, path, agent) != (granted and in_scope), case
            assert await refused(api, everywhere, operation, method, path, agent) != granted, case


async def test_a_scoped_key_sees_only_its_agents_in_lists(api: Served) -> None:
    runs = await two_agents(api)
    for agent in ("", MINE, OTHER):
        await api.services.secrets.set(agent or None, "TOKEN", "x", "key:test")
    headers = {"authorization": f"Bearer {await api.key_of(Role.DEPLOYER, [MINE])}"}
    answer = await api.json("GET", "/v1/runs?state=pending&state=running", headers=headers)
    assert [run["id"] for run in answer["items"]] == [runs[MINE]]
    assert [agent["name"] for agent in await api.json("GET", "/v1/agents", headers=headers)] == [MINE]
    assert [secret["agent"] for secret in await api.json("GET", "/v1/secrets", headers=headers)] == [MINE]
    await api.problem("PUT", "/v1/secrets/TOKEN", {"value": "x"}, status=403, headers=headers)
    assert len((await api.json("GET", "/v1/runs"))["items"]) == 2


async def test_pages_of_several_agents_have_no_gap_and_no_repeat(api: Served) -> None:
    harness = Harness(api.services.store, api.services.store, ClockOffset())
    for agent in ("a", "b", "c"):
        await harness.deploy(agent)
    made = [(await api.services.store.runs.create(harness.new_run(agent))).run_id for agent in "abcabcabccab"]
    theirs = [run_id for run_id, agent in zip(made, "abcabcabccab", strict=True) if agent != "c"]
    headers = {"authorization": f"Bearer {await api.key_of(Role.VIEWER, ['a', 'b'])}"}
    seen: list[str] = []
    cursor = ""
    while True:
        page = await api.json("GET", f"/v1/runs?limit=3{cursor}", headers=headers)
        seen += [run["id"] for run in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert seen == theirs[::-1]


async def test_a_role_that_is_not_known_may_do_nothing(api: Served) -> None:
    await api.services.store.keys.create(NewApiKey(new_api_key_id(), "x", "emperor", hash_key("ao_emperor")))
    answer = await api.http.get("/v1/runs", headers={"authorization": "Bearer ao_emperor"})
    assert answer.status_code == 403


async def test_an_expired_key_is_refused(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "REMEMBERED_SECONDS", 0.0)
    body = {"name": "brief", "role": "viewer", "expires_in_seconds": 0.5}
    made = await api.json("POST", "/v1/keys", body, status=201)
    headers = {"authorization": f"Bearer {made['secret']}"}

    async def is_refused() -> bool:
        return (await api.http.get("/v1/runs", headers=headers)).status_code == 401

    await until(is_refused)


async def test_keys_are_made_listed_and_revoked(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "REMEMBERED_SECONDS", 0.0)
    body = {"name": "ci", "role": "deployer", "agents": [MINE]}
    made = await api.json("POST", "/v1/keys", body, status=201)
    key = made["key"]
    assert (key["name"], key["role"], key["agents"], key["actor"]) == ("ci", "deployer", [MINE], "key:local")
    assert (key["last_used_at"], key["expires_at"]) == (None, None)
    await api.problem("POST", "/v1/keys", body, status=409)
    headers = {"authorization": f"Bearer {made['secret']}"}
    await api.json("GET", "/v1/agents", headers=headers)
    [listed] = [entry for entry in await api.json("GET", "/v1/keys") if entry["id"] == key["id"]]
    assert listed["last_used_at"] is not None
    assert made["secret"] not in (await api.http.get("/v1/keys")).text
    revoked = await api.json("DELETE", f"/v1/keys/{key['id']}")
    assert revoked["revoked_at"] is not None
    await api.problem("GET", "/v1/agents", status=401, headers=headers)
    await api.json("POST", "/v1/keys", body, status=201)


async def test_a_revoked_key_stops_working_within_seconds(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "REMEMBERED_SECONDS", 0.0)
    headers = {"authorization": f"Bearer {await api.key_of(Role.VIEWER)}"}
    assert (await api.http.get("/v1/runs", headers=headers)).status_code == 200
    store = api.services.store
    [key] = [key for key in await store.keys.list() if key.role == "viewer"]
    await store.keys.revoke(key.id)
    assert (await api.http.get("/v1/runs", headers=headers)).status_code == 401


async def test_a_rebound_name_is_refused_before_the_key_is_looked_at(api: Served) -> None:
    for host in ("evil.example", "evil.example:7433", "127.0.0.1.evil.example", ""):
        answer = await api.http.get("/v1/runs", headers={"host": host})
        assert answer.status_code in (400, 403), host
    port = api.url.rpartition(":")[2]
    for host in (f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}"):
        assert (await api.http.get("/v1/runs", headers={"host": host})).status_code == 200


async def test_a_web_page_of_another_origin_is_refused(api: Served) -> None:
    assert (await api.http.get("/v1/runs", headers={"origin": "https://evil.example"})).status_code == 403
    assert (await api.http.get("/v1/runs", headers={"origin": "null"})).status_code == 403
    assert (await api.http.get("/v1/runs", headers={"origin": api.url})).status_code == 200


async def test_health_checks_need_no_host_and_everything_else_does(api: Served) -> None:
    """As HTTP/1.0 has them; a page that rebinds a name to this machine always says that name."""
    name, port = api.url.removeprefix("http://").split(":")
    for path, host, status in (
        ("/livez", "", 200),
        ("/readyz", "", 200),
        ("/v1/runs", "", 403),
        ("/readyz", "Host: evil.example\r\n", 403),
        ("/readyz", "Origin: http://evil.example\r\n", 403),
    ):
        reader, writer = await asyncio.open_connection(name, int(port))
        writer.write(f"GET {path} HTTP/1.0\r\n{host}Authorization: Bearer {api.key}\r\n\r\n".encode())
        assert (await reader.readline()).split()[1] == str(status).encode(), (path, host)
        writer.close()


async def test_every_answer_has_a_request_id(api: Served) -> None:
    answer = await api.http.get("/livez", headers={"x-request-id": "mine-1"})
    assert answer.headers["x-request-id"] == "mine-1"
    answer = await api.http.get("/livez", headers={"x-request-id": "not\tfine"})
    assert len(answer.headers["x-request-id"]) == 36


async def test_readiness_names_each_dependency(api: Served) -> None:
    ready = await api.json("GET", "/readyz")
    assert ready["status"] == "ready"
    assert {"store", "disk", "supervisor"} <= {check["name"] for check in ready["checks"]}


async def test_a_server_without_its_supervisor_is_not_ready(api: Served) -> None:
    executor = api.local.platform.executor
    await executor.close()

    async def not_ready() -> bool:
        return (await api.http.get("/readyz")).status_code == 503

    await until(not_ready)
    assert (await api.http.get("/livez")).status_code == 200


async def test_a_server_that_stops_is_not_ready(api: Served) -> None:
    api.services.closing.close()
    answer = await api.http.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["status"] == "not_ready"
