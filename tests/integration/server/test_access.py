"""Who is let in: keys, roles, origins; and what answers without a key."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from tests.served import Served, served, until

from ao.server import auth
from ao.server.roles import NEEDED, Role

OPEN = {"/livez", "/readyz"}
ROLES = [role.name.lower() for role in Role]
RUN = "01936f2e-9c4b-7d3a-8f00-0123456789ab"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as api:
        yield api


async def operations(api: Served) -> list[tuple[str, str, str]]:
    """(operation id, method, path with values) of every operation in the OpenAPI document."""
    document = await api.json("GET", "/v1/openapi.json")
    found = []
    for path, item in document["paths"].items():
        for method, operation in item.items():
            filled = path.format(run_id=RUN, agent="none", version=1, name="NONE")
            found.append((operation["operationId"], method.upper(), filled))
    return found


async def test_only_health_answers_without_a_key(api: Served) -> None:
    async with httpx.AsyncClient(base_url=api.url, trust_env=False) as anonymous:
        for _, method, path in [*await operations(api), ("", "GET", "/v1/nothing"), ("", "GET", "/")]:
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


async def test_every_route_lets_in_the_roles_of_its_row_and_no_other(api: Served) -> None:
    """The matrix: each operation × each role. Anything but 403 is let in."""
    found = await operations(api)
    assert {operation for operation, _, _ in found} == set(NEEDED) | {"livez", "readyz"}
    for role in ROLES:
        headers = {"authorization": f"Bearer {await api.key_of(role)}"}
        for operation, method, path in found:
            if path in OPEN:
                continue
            answer = await api.http.request(method, path, headers=headers)
            expected = Role[role.upper()] >= NEEDED[operation]
            assert (answer.status_code != 403) == expected, f"{role} {operation}: {answer.text}"


async def test_a_role_that_is_not_known_may_do_nothing(api: Served) -> None:
    headers = {"authorization": f"Bearer {await api.key_of('emperor')}"}
    assert (await api.http.get("/v1/runs", headers=headers)).status_code == 403


async def test_a_revoked_key_stops_working_within_seconds(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "REMEMBERED_SECONDS", 0.0)
    headers = {"authorization": f"Bearer {await api.key_of('viewer')}"}
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
