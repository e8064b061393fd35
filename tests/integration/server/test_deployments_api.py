"""Uploads and deployments over HTTP, with the real builder."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.served import ECHO, FUNCTION, Served, frames, served, until

from ao.project.packing import pack

PATH = "/v1/agents/echo/deployments"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, {"AO_MAX_UPLOAD": "1M"}) as api:
        yield api


@pytest.fixture
def archive(tmp_path: Path) -> bytes:
    project = tmp_path / "echo"
    project.mkdir()
    (project / "ao.toml").write_text(f'name = "echo"\n{FUNCTION}\n')
    for name, text in ECHO.items():
        (project / name).write_text(text)
    pack(project, tmp_path / "echo.tar")
    return (tmp_path / "echo.tar").read_bytes()


def headers_for(body: bytes) -> dict[str, str]:
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    return {"content-type": "application/x-tar", "content-digest": f"sha-256=:{digest}:"}


def uploads_left(api: Served) -> list[Path]:
    return list(api.services.uploads.iterdir())


async def test_an_upload_becomes_a_numbered_version_with_a_log_to_its_end(api: Served, archive: bytes) -> None:
    answer = await api.http.post(f"{PATH}?message=first", content=archive, headers=headers_for(archive))
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert (made["version"], made["status"], made["message"]) == (1, "building", "first")
    log = f"{PATH}/1/log"
    async with api.http.stream("GET", log, headers={"accept": "text/event-stream"}, timeout=60) as stream:
        got = [frame async for frame in frames(stream.aiter_lines())]
    kinds = [kind for kind, _, _ in got]
    assert kinds[-2:] == ["status", ":"]
    assert got[-2][2]["status"] == "succeeded", got
    assert [int(seq) for kind, seq, _ in got if kind == "line"] == list(range(1, len(got) - 1))
    lines = await api.json("GET", log)
    assert [line["text"] for line in lines] == [data["text"] for kind, _, data in got if kind == "line"]
    view = await api.json("GET", f"{PATH}/1")
    assert view["live"]
    assert "code" in view["parts"]
    assert (await api.json("GET", "/v1/agents/echo"))["stable"] == 1
    assert uploads_left(api) == []


async def test_a_damaged_upload_is_refused_and_removed(api: Served, archive: bytes) -> None:
    headers = headers_for(archive)
    answer = await api.http.post(PATH, content=archive[:-1] + b"x", headers=headers)
    assert answer.status_code == 422
    assert answer.json()["code"] == "upload_refused"
    assert uploads_left(api) == []
    assert (await api.http.get("/v1/agents/echo")).status_code == 404


async def test_an_upload_needs_a_digest_and_a_media_type(api: Served, archive: bytes) -> None:
    headers = headers_for(archive)
    for digest in (None, "sha-256=:nonsense:", "md5=:AAAA:"):
        changed = {**headers, "content-digest": digest} if digest else {"content-type": headers["content-type"]}
        answer = await api.http.post(PATH, content=archive, headers=changed)
        assert answer.status_code == 422
        assert answer.json()["problems"][0]["field"] == "Content-Digest"
    answer = await api.http.post(PATH, content=archive, headers={**headers, "content-type": "application/json"})
    assert answer.status_code == 415


async def test_an_upload_beyond_the_limit_is_refused(api: Served) -> None:
    body = b"x" * (2 << 20)
    answer = await api.http.post(PATH, content=body, headers=headers_for(body))
    assert answer.status_code == 413
    assert uploads_left(api) == []


async def test_an_upload_that_is_cut_off_leaves_nothing(api: Served) -> None:
    host, port = api.url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    fields = {"Host": host, "Authorization": f"Bearer {api.key}", "Content-Length": "1000", **headers_for(b"")}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    writer.write(f"POST {PATH} HTTP/1.1\r\n{lines}\r\n".encode() + b"x" * 10)
    await writer.drain()

    async def begun() -> bool:
        return bool(uploads_left(api))

    async def gone() -> bool:
        return not uploads_left(api)

    await until(begun)
    writer.close()
    await writer.wait_closed()
    await until(gone)


async def test_the_name_in_ao_toml_must_be_the_one_in_the_path(api: Served, archive: bytes) -> None:
    answer = await api.http.post("/v1/agents/other/deployments", content=archive, headers=headers_for(archive))
    assert answer.status_code == 422
    assert answer.json()["problems"][0]["field"] == "name"


async def test_diff_rollback_and_history_tell_what_was_live(api: Served) -> None:
    for text in ("one", "two"):
        await api.local.deploy("echo", {"agent.py": f"def work(task): return '{text}'"}, toml=FUNCTION)
    diff = await api.json("GET", "/v1/agents/echo/diff", params={"before": 1, "after": 2})
    assert not diff["same"]
    [code] = [part for part in diff["parts"] if part["part"] == "code"]
    assert code["files"][0]["path"] == "agent.py"
    back = await api.json("POST", "/v1/agents/echo/rollback", {"reason": "worse"})
    assert (back["move"]["from"], back["move"]["to"]) == (2, 1)
    assert "secrets" in back["not_restored"]
    history = await api.json("GET", "/v1/agents/echo/history")
    assert [move["to"] for move in history if move["pointer"] == "stable"] == [1, 2, 1]
    problem = await api.problem("POST", "/v1/agents/echo/rollback", {"to": 1}, status=409)
    assert problem["code"] == "conflict"
    page = await api.json("GET", PATH, params={"limit": 1})
    rest = await api.json("GET", PATH, params={"limit": 1, "cursor": page["next"]})
    assert [page["items"][0]["version"], rest["items"][0]["version"], rest["next"]] == [2, 1, None]
    await api.problem("GET", PATH, params={"cursor": "bogus"}, status=422)


async def test_secrets_are_set_listed_and_removed_but_never_shown(api: Served) -> None:
    made = await api.json("PUT", "/v1/secrets/TOKEN?agent=echo", {"value": "hunter2"})
    assert (made["name"], made["agent"], made["version"]) == ("TOKEN", "echo", 1)
    listed = await api.http.get("/v1/secrets", params={"agent": "echo"})
    assert "hunter2" not in listed.text
    assert [secret["name"] for secret in listed.json()] == ["TOKEN"]
    assert (await api.http.delete("/v1/secrets/TOKEN?agent=echo")).status_code == 204
    await api.problem("DELETE", "/v1/secrets/TOKEN?agent=echo", status=404)


async def test_status_and_garbage_collection_answer(api: Served) -> None:
    status = await api.json("GET", "/v1/status")
    assert status["database"] == "sqlite"
    assert status["runs"]["running"] == 0
    assert (await api.json("POST", "/v1/gc?dry_run=true"))["dry_run"] is True
    assert await api.json("GET", "/v1/schedules") == []
