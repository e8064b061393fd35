"""Both clients against a real server with a real worker."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.served import ECHO, FUNCTION, Served, served, thread

import ao
from ao.domain.access import Role
from ao.domain.errors import (
    BuildFailed,
    Forbidden,
    InvalidConfig,
    InvalidInput,
    NotFound,
    RunFailed,
    ServerUnreachable,
    Unauthenticated,
    WaitTimeout,
)

WORDY = {
    "agent.py": """
def work(task):
    for n in range(task):
        print("line", n, flush=True)
        yield n
"""
}
BROKEN = {"agent.py": "def work(task): raise ValueError('no luck')"}
SLEEPY = {"agent.py": "import time\ndef work(task): time.sleep(600)"}
ONCE = "retries = 0"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, worker=True) as api:
        yield api


@pytest.fixture
def sync(api: Served) -> Iterator["ao.Client"]:
    with ao.Client(api.url, api.key) as client:
        yield client


@pytest.fixture
async def client(api: Served) -> AsyncIterator["ao.AsyncClient"]:
    async with ao.AsyncClient(api.url, api.key) as client:
        yield client


def project(tmp_path: Path, files: dict[str, str], toml: str = FUNCTION, name: str = "echo") -> Path:
    directory = tmp_path / "source"
    directory.mkdir(exist_ok=True)
    for path, text in {"ao.toml": f'name = "{name}"\n{toml}\n', **files}.items():
        (directory / path).write_text(text)
    return directory


async def test_the_sync_client_deploys_runs_and_gets_the_result(
    api: Served, sync: "ao.Client", tmp_path: Path
) -> None:
    deployment = await thread(sync.deploy, project(tmp_path, ECHO), message="first")
    await thread(deployment.wait)
    assert (deployment.view.status, deployment.view.message) == ("succeeded", "first")
    run = await thread(sync.run, "echo", {"n": 1})
    assert await thread(run.result, 60) == {"n": 1}
    assert (run.view.version, run.state) == (1, "completed")
    assert [attempt.number for attempt in await thread(run.attempts)] == [1]
    assert [entry.id for entry in (await thread(sync.list_runs)).items] == [run.id]


async def test_the_async_client_deploys_runs_and_gets_the_result(
    client: "ao.AsyncClient", tmp_path: Path
) -> None:
    deployment = await (await client.deploy(project(tmp_path, ECHO))).wait()
    lines = [line.text async for line in deployment.log()]
    assert any(", release " in line for line in lines)
    run = await client.run("echo", [1, "zwei", None])
    assert await run.result(timeout=90) == [1, "zwei", None]
    assert [agent.name for agent in await client.agents()] == ["echo"]
    assert (await client.deployments("echo")).items[0].live


async def test_events_come_once_each_in_order_with_partial_outputs(
    api: Served, client: "ao.AsyncClient"
) -> None:
    await api.local.deploy("wordy", WORDY, toml=FUNCTION)
    run = await client.run("wordy", 3)
    events = [event async for event in run.events()]
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert [event.data["value"] for event in events if event.kind == "output"] == [0, 1, 2]
    assert events[-1].data["to"] == "completed"
    followed = [line.text async for line in run.logs(follow=True)]
    assert followed == ["line 0", "line 1", "line 2"] == [line.text async for line in run.logs()]
    assert [event.seq async for event in run.events(after=2)] == [event.seq for event in events[2:]]


async def test_a_failed_run_raises_what_is_known_of_it(api: Served, sync: "ao.Client") -> None:
    await api.local.deploy("broken", BROKEN, toml=f"{FUNCTION}\n{ONCE}")
    run = await thread(sync.run, "broken")
    with pytest.raises(RunFailed, match="ValueError: no luck") as caught:
        await thread(run.result, 60)
    details: Any = caught.value.details
    assert details["run_id"] == run.id
    assert "agent.py" in details["error"]["traceback"]
    assert caught.value.hint


async def test_patience_that_ends_does_not_end_the_run(api: Served, client: "ao.AsyncClient") -> None:
    await api.local.deploy("sleepy", SLEEPY, toml=FUNCTION)
    run = await client.run("sleepy")
    with pytest.raises(WaitTimeout, match="goes on"):
        await run.result(timeout=0.2)
    assert not run.done
    await run.cancel()
    with pytest.raises(RunFailed, match="cancelled"):
        await run.result(timeout=90)


async def test_errors_arrive_as_the_classes_that_the_server_raised(api: Served, sync: "ao.Client") -> None:
    await api.local.deploy("echo", ECHO, toml=FUNCTION)
    with pytest.raises(NotFound) as missing:
        await thread(sync.run, "ecko")
    assert "echo" in missing.value.hint
    with pytest.raises(InvalidInput) as refused:
        await thread(sync.list_runs, limit=0)
    assert [problem.field for problem in refused.value.problems] == ["limit"]
    with ao.Client(api.url, "ao_wrongwrongwrong") as stranger, pytest.raises(Unauthenticated):
        await thread(stranger.agents)
    with ao.Client(api.url, await api.key_of(Role.VIEWER)) as viewer, pytest.raises(Forbidden):
        await thread(viewer.run, "echo")


async def test_a_build_that_fails_raises_and_leaves_the_live_version(
    api: Served, client: "ao.AsyncClient", tmp_path: Path
) -> None:
    await api.local.deploy("echo", ECHO, toml=FUNCTION)
    source = project(tmp_path, {**ECHO, "requirements.txt": "./absent-0.0.0-py3-none-any.whl\n"})
    with pytest.raises(BuildFailed, match="echo v2"):
        await (await client.deploy(source)).wait()
    assert (await client.agent("echo")).stable == 1


async def test_a_project_with_mistakes_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    client = ao.Client("http://127.0.0.1:9", "ao_unusedunused")
    with pytest.raises(InvalidConfig) as refused:
        client.deploy(project(tmp_path, ECHO, toml='entrypont = "agent:work"\ntimeout = "soon"'))
    assert {"entrypont", "timeout"} <= {problem.field for problem in refused.value.problems}


async def test_an_absent_server_is_told_with_its_url_and_where_that_came_from() -> None:
    with pytest.raises(ServerUnreachable, match=r"http://127\.0\.0\.1:9 \(from the url given\)") as refused:
        ao.Client("http://127.0.0.1:9").agents()
    assert refused.value.hint == "start one with `ao up`"
    async with ao.AsyncClient("http://127.0.0.1:9") as client:
        with pytest.raises(ServerUnreachable, match="refused"):
            await client.agents()


async def test_what_answers_but_is_no_ao_server_is_told_apart() -> None:
    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 2\r\n\r\nhi")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(other, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        with ao.Client(url) as client, pytest.raises(ao.errors.AoError, match="text/html"):
            await thread(client.agents)


async def test_secrets_and_rollback_through_the_client(api: Served, client: "ao.AsyncClient") -> None:
    for text in ("one", "two"):
        await api.local.deploy("echo", {"agent.py": f"def work(task): return '{text}'"}, toml=FUNCTION)
    await client.set_secret("TOKEN", "value", agent="echo")
    assert [secret.name for secret in await client.secrets("echo")] == ["TOKEN"]
    await client.delete_secret("TOKEN", agent="echo")
    assert await client.secrets("echo") == []
    diff = await client.diff("echo", 1, 2)
    assert not diff.same
    assert (await client.rollback("echo", reason="test")).move.to == 1
    run = await client.run("echo")
    assert await run.result(timeout=90) == "one"
    assert (await client.status()).workers[0].alive
    assert (await client.history("echo"))[0].reason == "test"
    assert await client.schedules() == []


async def test_one_client_serves_many_threads(api: Served, sync: "ao.Client") -> None:
    await api.local.deploy("echo", ECHO, toml=FUNCTION)
    results = await asyncio.gather(*(thread(lambda n=n: sync.run("echo", n).result(60)) for n in range(12)))
    assert results == list(range(12))
