"""A thousand clients that follow runs on one server: each hears every event, in order and once."""

import asyncio
import resource
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.acceptance.projects import project
from tests.chaos.blows import connect
from tests.platform import Up

CLIENTS = 1000
RUNS = 20
AGENT = """\
import time


def main(request):
    for number in range(request["lines"]):
        print(number, flush=True)
        time.sleep(0.1)
"""


async def follow(host: str, port: int, key: str, run_id: str) -> list[int]:
    """The seqs of the run's events, from a plain connection; a stream that was cut is an error."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        head = f"GET /v1/runs/{run_id}/events HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n"
        writer.write(f"{head}Accept: text/event-stream\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read()
    finally:
        writer.close()
    lines = answer.splitlines()
    assert lines[0].split()[1] == b"200", answer[:500]
    assert b": end" in lines, f"cut after {answer[-200:]!r}"
    return [int(line.removeprefix(b"id: ")) for line in lines if line.startswith(b"id: ")]


async def test_a_thousand_clients_of_one_server_get_every_event(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2 * CLIENTS:
        pytest.skip(f"this user may open {hard} files only")
    up = Up(tmp_path / "home", {"AO_SLOTS": str(RUNS), "AO_LOG_LEVEL": "warning"})
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (CLIENTS // 2, hard)
    )  # as most shells do: the server asks for more
    await asyncio.to_thread(up.start)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * CLIENTS), hard))
    try:
        with connect(up) as client:
            client.deploy(project(tmp_path / "talker", "talker", agent=AGENT)).wait()
            runs = [client.run("talker", {"lines": 40}).id for _ in range(RUNS)]
            place, key = urlsplit(client.target.url), client.target.api_key or ""
            host, port = place.hostname or "", place.port or 0
            heard = await asyncio.gather(
                *(follow(host, port, key, runs[number % RUNS]) for number in range(CLIENTS))
            )
            last = [client.get_run(run_id).view.last_seq for run_id in runs]
    finally:
        await asyncio.to_thread(up.stop)
    for number, seqs in enumerate(heard):
        assert seqs == list(range(1, last[number % RUNS] + 1))
