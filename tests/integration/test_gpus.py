"""Runs that ask for GPUs, on a worker that says that it has some."""

import asyncio
from pathlib import Path

from tests.local import local_platform

AGENT = """
import os, socket
def work(port):
    socket.create_connection(("127.0.0.1", port)).recv(1)
    return os.environ.get("CUDA_VISIBLE_DEVICES", "none")
"""
TOML = 'entrypoint = "agent:work"\nretries = 0\n[sandbox]\nnetwork = "full"\n[resources]\ngpu = {}\n'


async def test_runs_that_go_on_together_have_devices_of_their_own(tmp_path: Path) -> None:
    there = asyncio.Semaphore(0)
    go = asyncio.Event()

    async def hold(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there.release()
        await go.wait()
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with local_platform(tmp_path, {"AO_WORKER_GPUS": "4"}) as ao:
        for count in (0, 1, 2):
            await ao.deploy(f"with-{count}", {"agent.py": AGENT}, toml=TOML.format(count))
        runs = [await ao.submit(f"with-{count}", port) for count in (1, 2, 1, 0, 2)]
        async with asyncio.timeout(60):
            for _ in range(4):  # the last one waits for two devices
                await there.acquire()
        go.set()
        told = [str(await ao.output(await ao.result(run_id))) for run_id in runs]
        assert told[3] == "none"
        together = ",".join(told[:3]).split(",")
        assert sorted(together) == ["0", "1", "2", "3"]
        assert len(told[4].split(",")) == 2
    server.close()
