"""Makes projects, runs them and collects what came out."""

import asyncio
import itertools
import json
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ao.sandbox import (
    Entrypoint,
    Executor,
    Level,
    Limits,
    Message,
    Network,
    Sandbox,
    SandboxExit,
    SandboxInfo,
    SandboxSpec,
)

PATIENCE_SECONDS = 90.0
SMALL = Limits(memory_bytes=256 << 20, processes=64, open_files=128, disk_bytes=16 << 20, tmp_bytes=16 << 20)

_numbers = itertools.count()


@dataclass
class Ran:
    """Everything that a finished sandbox said."""

    info: SandboxInfo
    exit: SandboxExit
    messages: list[Message]
    stdout: bytes
    stderr: bytes

    @property
    def result(self) -> Any:
        """The value of the `result` message; an attempt without one fails the test with what it said."""
        last = [message for message in self.messages if message["type"] != "over"][-1]
        assert last["type"] == "result", (last, self.exit, self.stderr.decode("utf-8", "replace"))
        return last["value"]

    @property
    def error(self) -> Message:
        last = self.messages[-1]
        assert last["type"] == "error", (last, self.exit)
        return last

    @property
    def partials(self) -> list[object]:
        return [message["value"] for message in self.messages if message["type"] == "partial"]


@dataclass
class Rig:
    """An executor under test. `root` is a directory of the host with a canary that no sandbox may read."""

    executor: Executor
    root: Path
    env_dir: Path
    warm: bool = False
    """Whether `executor` starts runs warm that can be."""

    @property
    def level(self) -> Level:
        return self.executor.info.level

    @property
    def canary(self) -> Path:
        """A secret file of the host's user."""
        path = self.root / "secret" / "key"
        if not path.exists():
            path.parent.mkdir(mode=0o700)
            path.write_text("canary")
            path.chmod(0o600)
        return path

    def spec(
        self,
        source: "str | Mapping[str, str]",
        input: object = None,
        *,
        entrypoint: Entrypoint | None = None,
        env: Mapping[str, str] | None = None,
        limits: Limits = SMALL,
        network: Network | None = None,
    ) -> SandboxSpec:
        """A project of these files; a plain string is `agent.py`, whose `main` is called."""
        number = next(_numbers)
        code_dir = self.root / "code" / str(number)
        files = {"agent.py": source} if isinstance(source, str) else source
        for name, text in files.items():
            path = code_dir / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))
            path.chmod(0o755)
        return SandboxSpec(
            id=f"test-{number}",
            code_dir=code_dir,
            env_dir=self.env_dir,
            python=self.env_dir / "bin" / "python",
            entrypoint=entrypoint or Entrypoint("function", "agent:main"),
            input_json=json.dumps(input),
            env=env or {},
            limits=limits,
            network=network or Network("none"),
        )

    async def run(
        self,
        source: "str | Mapping[str, str]",
        input: object = None,
        *,
        entrypoint: Entrypoint | None = None,
        env: Mapping[str, str] | None = None,
        limits: Limits = SMALL,
        network: Network | None = None,
    ) -> Ran:
        spec = self.spec(source, input, entrypoint=entrypoint, env=env, limits=limits, network=network)
        return await finish(await self.executor.start(spec))


async def finish(sandbox: Sandbox) -> Ran:
    """Read everything until the end."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        async with asyncio.TaskGroup() as group:
            stdout = group.create_task(_all(sandbox, "stdout"))
            stderr = group.create_task(_all(sandbox, "stderr"))
            messages = group.create_task(_messages(sandbox))
            exit = group.create_task(sandbox.wait())
    return Ran(sandbox.info, exit.result(), messages.result(), stdout.result(), stderr.result())


async def line(sandbox: Sandbox) -> str:
    """The first line of standard output; the agent goes on."""
    data = b""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while b"\n" not in data:
            more = await sandbox.read_stdout()
            assert more, "the output ended before its first line"
            data += more
    return data.partition(b"\n")[0].decode()


async def _all(sandbox: Sandbox, stream: str) -> bytes:
    read = sandbox.read_stdout if stream == "stdout" else sandbox.read_stderr
    chunks = b""
    while data := await read():
        chunks += data
    return chunks


async def _messages(sandbox: Sandbox) -> list[Message]:
    messages: list[Message] = []
    while (message := await sandbox.receive()) is not None:
        messages.append(message)
    return messages
