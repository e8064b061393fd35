"""The private directory of a session: it is the same in the next run, or the run says why not."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import JsonValue
from tests.local import Local, local_platform

from ao.domain.outcome import OutcomeKind
from ao.domain.run import RunState
from ao.store.sessions import Session, SessionKey

FUNCTION = 'entrypoint = "agent:work"\n[retries]\nmax_retries = 2\ninitial_delay = "10ms"\njitter = false\n'


@pytest.fixture(params=["warm", "cold"])
async def ao(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Local]:
    async with local_platform(tmp_path, {"AO_WARM": "on" if request.param == "warm" else "off"}) as local:
        yield local


@pytest.fixture
async def cold(tmp_path: Path) -> AsyncIterator[Local]:
    async with local_platform(tmp_path, {"AO_WARM": "off", "AO_MAX_WORKSPACE": "4M"}) as local:
        yield local


async def session(ao: Local, agent: str, id: str = "s") -> Session:
    return await ao.platform.store.sessions.get(SessionKey(agent, id))


WORKSPACE = """
import os, stat
from ao_runner import session

def listing(root):
    found = []
    for path in sorted(root.rglob("*")):
        seen = path.lstat()
        mode = stat.S_IMODE(seen.st_mode)
        kind = "link" if path.is_symlink() else "dir" if path.is_dir() else "file"
        content = os.readlink(path) if kind == "link" else "" if kind == "dir" else len(path.read_bytes())
        found.append([str(path.relative_to(root)), kind, mode, content])
    return found

def work(task):
    root = session.workspace
    if task == "make":
        (root / "a/b").mkdir(parents=True)
        (root / "a/b/tool").write_text("#!/bin/sh\\n")
        (root / "a/b/tool").chmod(0o750)
        (root / "empty").touch()
        (root / "large").write_bytes(b"x" * 700_000)
        (root / "ü").write_text("name")
        (root / "a/link").symlink_to("../large")
        (root / "closed").mkdir(mode=0o555)
    elif task == "change":
        (root / "ü").write_text("changed")
    elif task == "remove":
        (root / "large").unlink()
    return listing(root)
"""


async def test_the_workspace_is_the_same_in_the_next_run_and_its_blobs_are_used_again(ao: Local) -> None:
    await ao.deploy("files", {"agent.py": WORKSPACE}, toml=FUNCTION)
    made = await ao.output(await ao.run("files", "make", session="s"))
    first = (await session(ao, "files")).workspace
    assert first is not None
    assert (first.files, len(first.blobs)) == (4, 2)
    assert isinstance(made, list)
    entries = [entry for entry in made if isinstance(entry, list)]
    assert [entry for entry in entries if entry[1] != "dir" or entry[0] == "closed"] == [
        ["a/b/tool", "file", 0o750, 10],
        ["a/link", "link", 0o777, "../large"],
        ["closed", "dir", 0o555, ""],
        ["empty", "file", 0o644, 0],
        ["large", "file", 0o644, 700_000],
        ["ü", "file", 0o644, 4],
    ]
    assert await ao.output(await ao.run("files", "look", session="s")) == made
    assert (await session(ao, "files")).workspace == first
    assert (await session(ao, "files")).version == 2
    await ao.run("files", "change", session="s")
    second = (await session(ao, "files")).workspace
    assert second is not None
    assert len(set(second.blobs) & set(first.blobs)) == 1
    await ao.run("files", "remove", session="s")
    third = (await session(ao, "files")).workspace
    assert third is not None
    assert (third.files, set(third.blobs)) == (3, set(second.blobs) - set(first.blobs))


HOSTILE = """
import os, socket
from ao_runner import session

def work(task):
    root = session.workspace
    if task == "absolute":
        (root / "l").symlink_to("/etc/passwd")
    elif task == "climbs":
        (root / "d").mkdir()
        (root / "d/l").symlink_to("../../other")
    elif task == "climbs later":
        (root / "d").mkdir()
        (root / "up").symlink_to("d/..")
    elif task == "pipe":
        os.mkfifo(root / "p")
    elif task == "socket":
        socket.socket(socket.AF_UNIX).bind(str(root / "s"))
    elif task == "huge":
        with (root / "h").open("wb") as file:
            file.truncate(5 << 20)
    elif task == "many":
        for number in range(10_001):
            (root / str(number)).touch()
    elif task == "name":
        open(os.path.join(os.fsencode(root), b"\\xff"), "w").close()
    elif task == "closed":
        (root / "c").touch()
        (root / "c").chmod(0)
    elif task == "replaced":
        os.rmdir(root)
        os.symlink("/etc", root)
    return task
"""


REFUSED = {
    "absolute": "'l' in the workspace is a link to '/etc/passwd', which is outside",
    "climbs": "'d/l' in the workspace is a link to '../../other', which is outside",
    "climbs later": "'up' in the workspace is a link to 'd/..', which is outside",
    "pipe": "the workspace cannot be kept: 'p' is a named pipe",
    "socket": "the workspace cannot be kept: 's' is a socket",
    "huge": "the workspace holds 5242880 bytes; at most 4194304 are kept",
    "many": "the workspace has more than 10000 files and directories",
    "name": "in the workspace has a name that is not UTF-8",
    "closed": "the workspace cannot be kept: 'c' cannot be read: Permission denied",
    "replaced": "the workspace is no directory any more",
}


async def test_what_cannot_be_kept_fails_the_run_and_says_why(cold: Local) -> None:
    await cold.deploy("hostile", {"agent.py": HOSTILE}, toml=FUNCTION)
    for task, words in REFUSED.items():
        name = task.replace(" ", "-")
        run = await cold.run("hostile", task, session=name)
        assert run.error is not None
        assert (run.head.state, run.head.attempt, run.error.type) == (RunState.FAILED, 1, "WorkspaceRefused")
        assert words in run.error.message
        assert (await session(cold, "hostile", name)).workspace is None


LIES = """
import os
from ao_runner import task

def work(message):
    task.current.send(message)
    task.current.send({"type": "workspace_data", "id": 7, "data": "AAAA"})
    import time
    time.sleep(60)
"""


NONSENSE: list[JsonValue] = [
    {"type": "workspace", "id": 1, "entries": 7},
    {"type": "workspace_data", "id": 1, "data": "AAAA"},
    {"type": "session_messages", "id": 1, "after": "x"},
    {"type": "result", "value": 1, "session": {"first": -1, "messages": []}},
    {"type": "result", "value": 1, "session": {"first": 0, "messages": [{"role": 7}]}},
    {"type": "result", "value": 1, "session": {"first": 0, "messages": [], "state": []}},
]


async def test_nonsense_on_the_socket_ends_the_attempt(cold: Local) -> None:
    await cold.deploy("lies", {"agent.py": LIES}, toml=FUNCTION.replace("= 2", "= 0"))
    for message in NONSENSE:
        run = await cold.run("lies", message, session="lies")
        assert run.error is not None
        assert (run.head.state, run.error.kind) == (RunState.FAILED, OutcomeKind.LIMIT), message
        assert (await session(cold, "lies", "lies")).version == 1
