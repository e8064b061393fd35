"""What a client does when its connection is cut: nothing lost, nothing twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.platform import Up
from tests.served import ECHO, FUNCTION, Served, served, thread

import ao
from ao.client import retry
from ao.client.target import find
from ao.domain.errors import ServerUnreachable
from ao.testing.ports import free_port

STEADY = {
    "agent.py": """
import pathlib, time
def work(task):
    for n in range(6):
        print("line", n, flush=True)
        time.sleep(0.25)
"""
}

CUT_OFF = """
import os, time
def work(task):
    print("on", flush=True)
    time.sleep(600 if os.environ["AO_ATTEMPT"] == "1" else 0)
"""
"""It ends with its second attempt."""


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, worker=True) as api:
        await api.local.deploy("echo", ECHO, toml=FUNCTION)
        yield api


class Flaky:
    """A proxy in front of a server that cuts connections: after `cut_after` bytes of an answer."""

    def __init__(self, url: str) -> None:
        self._host, _, port = url.removeprefix("http://").rpartition(":")
        self._port = int(port)
        self.cuts: list[int] = []
        """Bytes of answer that each next connection lets through; when empty, all."""
        self.connections = 0
        self._serving: set[asyncio.Task[None]] = set()

    async def cut(self, *cuts: int) -> None:
        """Close what is open, and let through only so much of the next connections."""
        self.cuts = list(cuts)
        serving = list(self._serving)
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()
            await self.cut()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        left = self.cuts.pop(0) if self.cuts else 1 << 40
        up_reader, up_writer = await asyncio.open_connection(self._host, self._port)
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        request = asyncio.create_task(self._copy(reader, up_writer, 1 << 40))
        try:
            await self._copy(up_reader, writer, left)
        finally:
            request.cancel()
            self._serving.discard(task)
            for end in (writer, up_writer):
                end.close()
            await asyncio.gather(request, writer.wait_closed(), return_exceptions=True)

    async def _copy(self, source: asyncio.StreamReader, to: asyncio.StreamWriter, left: int) -> None:
        while left and (chunk := await source.read(min(left, 65_536))):
            left -= len(chunk)
            try:
                to.write(chunk)
                await to.drain()
            except ConnectionError:
                return


async def test_a_submit_whose_answer_was_lost_runs_once(api: Served) -> None:
    proxy = Flaky(api.url)
    await proxy.cut(0, 20)
    async with proxy.listening() as url:
        with ao.Client(url, api.key) as client:
            run = await thread(client.run, "echo", 1)
            assert [entry.id for entry in (await thread(client.list_runs)).items] == [run.id]
        await proxy.cut(0, 20)
        async with ao.AsyncClient(url, api.key) as other:
            run = await other.run("echo", 2)
            assert len((await other.list_runs()).items) == 2
    assert proxy.connections >= 6


async def test_a_stream_that_is_cut_goes_on_without_gap_or_repeat(api: Served) -> None:
    await api.local.deploy("steady", STEADY, toml=FUNCTION)
    proxy = Flaky(api.url)
    async with proxy.listening() as url:
        async with ao.AsyncClient(url, api.key) as client:
            run = await client.run("steady")
            await proxy.cut(300, 700, 450, 0, 900)
            events = [event async for event in run.events()]
            assert [event.seq for event in events] == list(range(1, len(events) + 1))
            assert events[-1].data["to"] == "completed"
            assert proxy.cuts == []
        with ao.Client(url, api.key) as blocking:
            await proxy.cut(300, 700)
            again = await thread(lambda: list(blocking.get_run(run.id).events()))
            assert [event.seq for event in again] == [event.seq for event in events]
            assert proxy.cuts == []


async def test_a_stream_gives_up_after_some_tries_without_progress(
    api: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "FIRST_DELAY_SECONDS", 0.001)
    monkeypatch.setattr(retry, "LONGEST_DELAY_SECONDS", 0.01)
    await api.local.deploy("steady", STEADY, toml=FUNCTION)
    proxy = Flaky(api.url)
    async with proxy.listening() as url, ao.AsyncClient(url, api.key) as client:
        run = await client.run("steady")
        before = proxy.connections
        await proxy.cut(*[0] * 20)
        with pytest.raises(ServerUnreachable):
            _ = [event async for event in run.events()]
        assert proxy.connections - before == retry.TRIES
        await proxy.cut()
        await (await run.cancel()).wait()


async def test_a_deploy_is_not_sent_twice(api: Served, tmp_path: Path) -> None:
    source = tmp_path / "again"
    source.mkdir()
    (source / "ao.toml").write_text(f'name = "again"\n{FUNCTION}\n')
    (source / "agent.py").write_text(ECHO["agent.py"])
    proxy = Flaky(api.url)
    async with proxy.listening() as url:
        with ao.Client(url, api.key) as client:
            await proxy.cut(0, 0)
            with pytest.raises(ServerUnreachable):
                await thread(client.deploy, source)
            assert proxy.cuts == [0]


async def test_a_stream_survives_the_restart_of_its_server(tmp_path: Path) -> None:
    """kill -9 in the middle of a run: the stream goes on where it was, through the new attempt to the end."""
    port = free_port()
    up = Up(tmp_path / "home", {"AO_PORT": str(port)})
    await thread(up.start)
    try:
        key = (tmp_path / "home/key").read_text()
        async with ao.AsyncClient(f"http://127.0.0.1:{port}", key) as client:
            source = tmp_path / "steady"
            source.mkdir()
            (source / "ao.toml").write_text(f'name = "steady"\n{FUNCTION}\n')
            (source / "agent.py").write_text(CUT_OFF)
            await (await client.deploy(source)).wait()
            run = await client.run("steady")
            seen = []
            restart: asyncio.Task[None] | None = None
            async for event in run.events():
                seen.append(event)
                if event.kind == "log" and restart is None:
                    up.kill()
                    restart = asyncio.create_task(thread(up.start))
            assert restart is not None
            await restart
            assert [event.seq for event in seen] == list(range(1, len(seen) + 1))
            assert seen[-1].data["to"] == "completed"
            assert (await run.refresh()).view.attempt == 2
    finally:
        await thread(up.stop)


def test_the_home_of_a_server_says_where_it_is_and_its_key_stays_here(tmp_path: Path) -> None:
    (tmp_path / "server.json").write_text('{"url": "http://127.0.0.1:5001", "pid": 1}')
    (tmp_path / "key").write_text("ao_homehomehome\n")
    local = find(home=tmp_path, variables={})
    assert (local.url, local.api_key, local.origin) == (
        "http://127.0.0.1:5001",
        "ao_homehomehome",
        str(tmp_path / "server.json"),
    )
    elsewhere = find("https://ao.example", home=tmp_path, variables={})
    assert elsewhere.api_key is None
    chosen = find(home=tmp_path, variables={"AO_URL": "http://[::1]:9", "AO_API_KEY": "ao_envenvenvenv"})
    assert (chosen.url, chosen.api_key, chosen.origin) == ("http://[::1]:9", "ao_envenvenvenv", "AO_URL")
    (tmp_path / "server.json").unlink()
    assert find(home=tmp_path, variables={}).origin == "the default"
    with pytest.raises(ao.errors.InvalidConfig, match="AO_URL"):
        find(variables={"AO_URL": "localhost:7433"})
