"""Sessions over REST and with the clients."""

import base64
import hashlib
import io
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.served import FUNCTION, Served, served, thread

import ao
from ao.domain.errors import Conflict, NotFound, SessionBusy

CHAT = """
import time
from ao_runner import session

def work(text):
    session.add("user", text)
    session.state["last"] = text
    (session.workspace / "log").open("a").write(text)
    if text == "long":
        time.sleep(60)
    return len(session.messages)
"""


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, {"AO_HEARTBEAT_SECONDS": "0.2"}, worker=True) as server:
        await server.local.deploy("chat", {"agent.py": CHAT}, toml=FUNCTION)
        yield server


async def run(api: Served, text: str, status: int = 201, **more: object) -> Any:
    body = {"agent": "chat", "input": text, "session": "s", **more}
    return await api.json("POST", "/v1/runs?wait=60", body, status=status)


async def test_large_messages_come_in_pages_of_some_megabytes(api: Served) -> None:
    messages = [{"role": "user", "content": "x" * 1_000_000} for _ in range(10)]
    await api.json("POST", "/v1/sessions", {"agent": "chat", "id": "large", "messages": messages}, status=201)
    found: list[int] = []
    pages = 0
    while page := await api.json(
        "GET", f"/v1/sessions/chat/large/messages?limit=1000&after={found[-1] if found else 0}"
    ):
        found += [each["seq"] for each in page]
        pages += 1
    assert (found, pages) == (list(range(1, 11)), 2)


async def test_a_session_is_seen_and_changed(api: Served) -> None:
    done = await run(api, "hi")
    assert (done["state"], done["session"], done["output"]) == ("completed", "s", 1)
    found = await api.json("GET", "/v1/sessions/chat/s")
    assert (found["state"], found["messages"], found["version"], found["active_run"]) == (
        {"last": "hi"},
        1,
        2,
        None,
    )
    assert found["workspace"]["files"] == 1
    change = {"state": {"a": 1}, "remove": ["last"], "messages": [{"role": "system", "content": {"x": [1]}}]}
    edited = await api.json("PATCH", "/v1/sessions/chat/s", {**change, "version": 2})
    assert (edited["state"], edited["messages"], edited["version"]) == ({"a": 1}, 2, 3)
    problem = await api.problem(
        "PATCH", "/v1/sessions/chat/s", {"state": {}, "version": 2, "remove": ["a"]}, status=409
    )
    assert problem["code"] == "conflict"
    messages = await api.json("GET", "/v1/sessions/chat/s/messages?after=1")
    assert [(each["seq"], each["role"], each["content"], each["run_id"]) for each in messages] == [
        (2, "system", {"x": [1]}, None)
    ]
    history = await api.json("GET", "/v1/sessions/chat/s/history?limit=2")
    assert [(each["version"], each["change"], each["changed"]) for each in history["items"]] == [
        (3, "edited", ["state", "messages"]),
        (2, "run", ["state", "messages", "workspace"]),
    ]
    rest = await api.json("GET", f"/v1/sessions/chat/s/history?cursor={history['next']}")
    assert [each["change"] for each in rest["items"]] == ["created"]
    assert (await api.json("GET", "/v1/sessions/chat/s/versions/2"))["state"] == {"last": "hi"}
    restored = await api.json("POST", "/v1/sessions/chat/s/restore", {"version": 2})
    assert (restored["state"], restored["messages"], restored["version"]) == ({"last": "hi"}, 1, 4)
    copied = await api.json("POST", "/v1/sessions/chat/s/copy", {"id": "t", "version": 3}, status=201)
    assert (copied["state"], copied["messages"]) == ({"a": 1}, 2)
    listed = await api.json("GET", "/v1/sessions?agent=chat&limit=1")
    assert [each["id"] for each in listed["items"]] == ["t"]
    assert "state" not in listed["items"][0]
    second = await api.json("GET", f"/v1/sessions?agent=chat&cursor={listed['next']}")
    assert [each["id"] for each in second["items"]] == ["s"]
    runs = await api.json("GET", "/v1/runs?agent=chat&session=s")
    assert [each["id"] for each in runs["items"]] == [done["id"]]
    assert (await api.json("DELETE", "/v1/sessions/chat/t")) == {"cancelled": []}
    await api.problem("GET", "/v1/sessions/chat/t", status=404)


async def test_a_session_in_use_is_not_touched_without_force(api: Served) -> None:
    long = await api.json("POST", "/v1/runs", {"agent": "chat", "input": "long", "session": "s"}, status=201)
    busy = await api.problem(
        "POST", "/v1/runs", {"agent": "chat", "session": "s", "on_overlap": "reject"}, status=409
    )
    assert (busy["code"], busy["details"]["run_id"]) == ("session_busy", long["id"])
    for method, path, body in (
        ("PATCH", "", {"state": {"a": 1}}),
        ("DELETE", "", None),
        ("POST", "/restore", {"version": 1}),
    ):
        problem = await api.problem(method, f"/v1/sessions/chat/s{path}", body, status=409)
        assert problem["code"] == "session_busy"
    assert (await api.json("DELETE", "/v1/sessions/chat/s?force=true")) == {"cancelled": [long["id"]]}
    ended = await api.json("GET", f"/v1/runs/{long['id']}?wait=60")
    assert ended["state"] == "cancelled"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"agent": "chat", "on_overlap": "reject"}, "on_overlap"),
        ({"agent": "chat", "session": "a b"}, "session"),
        ({"agent": "chat", "session": "s", "on_overlap": "replace"}, "on_overlap"),
    ],
)
async def test_a_wrong_request_for_a_run_says_which_field(api: Served, body: object, field: str) -> None:
    problem = await api.problem("POST", "/v1/runs", body, status=422)
    assert problem["problems"][0]["field"] == field


async def test_an_empty_change_is_none_and_too_much_is_refused(api: Served) -> None:
    await api.json("POST", "/v1/sessions", {"agent": "chat", "id": "s"}, status=201)
    await api.problem("POST", "/v1/sessions", {"agent": "chat", "id": "s"}, status=409)
    await api.problem("POST", "/v1/sessions", {"agent": "nobody", "id": "s"}, status=404)
    assert (await api.json("PATCH", "/v1/sessions/chat/s", {}))["version"] == 1
    large = {"state": {"a": "x" * (1 << 20)}}
    problem = await api.problem("PATCH", "/v1/sessions/chat/s", large, status=422)
    assert problem["problems"][0]["field"] == "state"
    await api.problem("GET", "/v1/runs?session=s", status=422)


async def test_the_client_has_it_all(api: Served, tmp_path: Path) -> None:
    with ao.Client(api.url, api.key) as client:
        handle = await thread(client.run, "chat", "hi", session="c")
        assert await thread(handle.result, 60) == 1
        sessions = client.sessions
        made = await thread(
            sessions.create, "chat", state={"n": 1}, messages=[{"role": "user", "content": "x"}]
        )
        assert (made.messages, made.state) == (1, {"n": 1})
        with pytest.raises(Conflict):
            await thread(sessions.create, "chat", "c")
        edited = await thread(sessions.edit, "chat", "c", messages=[{"role": "user", "content": "y"}])
        assert edited.version == 3
        assert [each.content for each in await thread(lambda: list(sessions.messages("chat", "c")))] == [
            "hi",
            "y",
        ]
        assert (await thread(sessions.at, "chat", "c", 2)).state == {"last": "hi"}
        assert (await thread(sessions.read_file, "chat", "c", "log")) == b"hi"
        with pytest.raises(NotFound):
            await thread(sessions.read_file, "chat", "c", "none")
        (tmp_path / "up/deep").mkdir(parents=True)
        (tmp_path / "up/deep/tool").write_bytes(b"x" * 300_000)
        (tmp_path / "up/deep/tool").chmod(0o755)
        (tmp_path / "up/small").write_text("small")
        (tmp_path / "up/link").symlink_to("deep/tool")
        uploaded = await thread(sessions.upload, "chat", "c", tmp_path / "up")
        assert uploaded.workspace is not None
        assert uploaded.workspace.files == 2
        await thread(sessions.download, "chat", "c", tmp_path / "down")
        assert (tmp_path / "down/deep/tool").read_bytes() == b"x" * 300_000
        assert (tmp_path / "down/deep/tool").stat().st_mode & 0o777 == 0o755
        assert (tmp_path / "down/link").readlink() == Path("deep/tool")
        listed = await thread(sessions.workspace, "chat", "c")
        assert [entry.path for entry in listed.entries] == ["deep", "deep/tool", "link", "small"]
        (await thread(sessions.restore, "chat", "c", 2))
        assert [entry.path for entry in (await thread(sessions.workspace, "chat", "c")).entries] == ["log"]
        await thread(client.run, "chat", "long", session="c")
        with pytest.raises(SessionBusy):
            await thread(client.run, "chat", "x", session="c", on_overlap="reject")
        assert len((await thread(sessions.delete, "chat", "c", force=True)).cancelled) == 1
        assert len((await thread(sessions.list, "chat")).items) == 1
    async with ao.AsyncClient(api.url, api.key) as client:
        found = (await client.sessions.list("chat")).items[0]
        assert [each.content async for each in client.sessions.messages("chat", found.id)] == ["x"]
        await client.sessions.upload("chat", found.id, tmp_path / "up")
        await client.sessions.download("chat", found.id, tmp_path / "again")
        assert (tmp_path / "again/small").read_text() == "small"


def archive(*members: tuple[str, bytes, str]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, kind, target in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            tar.addfile(info)
    return made.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (archive(("../out", tarfile.REGTYPE, "")), "is no path below the workspace"),
        (archive(("/abs", tarfile.REGTYPE, "")), "is no path below the workspace"),
        (archive(("l", tarfile.SYMTYPE, "/etc/passwd")), "which is outside"),
        (archive(("l", tarfile.SYMTYPE, "..")), "which is outside"),
        (archive(("l", tarfile.SYMTYPE, "."), ("l/x", tarfile.REGTYPE, "")), "is in what is no directory"),
        (archive(("h", tarfile.LNKTYPE, "x")), "neither a file, a directory nor a symbolic link"),
        (archive(("p", tarfile.FIFOTYPE, "")), "neither a file, a directory nor a symbolic link"),
        (archive(("d", tarfile.CHRTYPE, "")), "neither a file, a directory nor a symbolic link"),
        (b"no tar at all" * 100, "no tar archive"),
    ],
)
async def test_a_hostile_archive_is_refused(small: Served, content: bytes, words: str) -> None:

    digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
    headers = {"content-type": "application/x-tar", "content-digest": f"sha-256=:{digest}:"}
    answer = await small.http.put("/v1/sessions/chat/s/workspace", content=content, headers=headers)
    assert answer.status_code == 422, answer.text
    assert words in answer.json()["detail"]
    assert (await small.json("GET", "/v1/sessions/chat/s"))["version"] == 1


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[Served]:
    """Without a worker."""
    async with served(tmp_path) as server:
        await server.local.deploy("chat", {"agent.py": CHAT}, toml=FUNCTION)
        await server.json("POST", "/v1/sessions", {"agent": "chat", "id": "s"}, status=201)
        yield server
