"""One running attempt, as the worker sees it: its pipes, its runner and its end."""

import asyncio
import dataclasses
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import cast

from ao.sandbox import Level, Message, SandboxExit, SandboxInfo, SandboxSpec, StopCause
from ao.sandbox.egress import EgressProxy, Rules
from ao.sandbox.process.streams import Ends
from ao.sandbox.process.supervisor import control
from ao_runner import protocol

Stop = Callable[[str, StopCause, float], Awaitable[None]]


class PipedSandbox:
    """See `ao.sandbox.Sandbox`. Who made it says when it has ended."""

    def __init__(
        self,
        spec: SandboxSpec,
        level: Level,
        degraded: Sequence[str],
        ends: Ends,
        stop: Stop,
        *,
        id: str = "",
        namespaces: Mapping[str, int] | None = None,
        warm: bool = False,
        why_cold: str = "",
    ) -> None:
        """`id` is what its supervisor calls it."""
        self.id = id or spec.id
        self.spec = spec
        self._info = SandboxInfo(level, tuple(degraded), namespaces or {}, warm=warm, why_cold=why_cold)
        self._stdout, self._stderr, self._runner = ends.stdout, ends.stderr, ends.runner
        self._over = ends.over
        self._stop = stop
        self._exit: asyncio.Future[SandboxExit] = asyncio.get_running_loop().create_future()
        self._egress: EgressProxy | None = None
        self.protocol = protocol.VERSION
        """The version that both ends speak, once the runner has said hello."""

    @property
    def info(self) -> SandboxInfo:
        return self._info

    async def read_stdout(self) -> bytes:
        return await self._stdout.read()

    async def read_stderr(self) -> bytes:
        return await self._stderr.read()

    async def receive(self) -> Message | None:
        try:
            message = await self._runner.receive()
            while message is not None and message["type"] == "listener":
                await self._serve_listener()
                message = await self._runner.receive()
        except protocol.ProtocolError:
            await self.stop(StopCause.PROTOCOL)
            return None
        return message

    async def send(self, message: Message) -> None:
        await self._runner.send(message)

    async def stop(self, cause: StopCause, grace_seconds: float = 0.0) -> None:
        if not self._exit.done():
            await self._stop(self.id, cause, grace_seconds)

    def exits_now(self) -> None:
        if not self._over.done():
            self._over.set_result(None)
        self._runner.close()

    async def wait(self) -> SandboxExit:
        return await asyncio.shield(self._exit)

    @property
    def ended(self) -> asyncio.Future[SandboxExit]:
        return self._exit

    @property
    def has_egress(self) -> bool:
        """Whether there is a proxy: it needs a loopback of the sandbox's own."""
        return self.spec.network.policy == "hosts" and self._info.level.namespaced

    async def _serve_listener(self) -> None:
        """The runner passed its listening socket: what connects to it inside is served here."""
        fd = self._runner.take_fd()
        if fd is None or self._egress is not None or not self.has_egress:
            raise protocol.ProtocolError("a listener that nobody asked for")
        self._egress = EgressProxy(Rules(self.spec.network.hosts), self.id)
        await self._egress.serve(socket.socket(fileno=fd))

    def located(self, namespaces: Mapping[str, int]) -> None:
        """Its own namespaces are known."""
        self._info = dataclasses.replace(self._info, namespaces=namespaces)

    async def end(self, exit: SandboxExit) -> None:
        """The tree is gone: end what served it, then let `wait` return."""
        if self._egress is not None:
            await self._egress.close()
        self.finish(exit)

    def greeted(self, hello: Message) -> None:
        """The runner's first message came; it stays to be received."""
        self.protocol = protocol.common(hello.get("protocols"))
        self.put_back(hello)

    def put_back(self, message: Message) -> None:
        """It is what `receive` returns next."""
        self._runner.put_back(message)

    def close(self) -> None:
        """Let go of the pipes; what was not read is lost."""
        for each in (self._stdout, self._stderr, self._runner):
            each.close()

    def finish(self, exit: SandboxExit) -> None:
        if not self._exit.done():
            if not self._over.done():
                self._over.set_result(None)
            self._exit.set_result(exit)


def exit_of(message: control.Message) -> SandboxExit:
    """A supervisor's `exited`."""
    cause = cast("str | None", message["cause"])
    return SandboxExit(
        exit_code=cast("int | None", message["code"]),
        signal=cast("int | None", message["signal"]),
        cause=StopCause(cause) if cause else None,
        detail=str(message["detail"]),
        max_rss_bytes=cast("int | None", message["max_rss"]),
        cpu_seconds=cast("float | None", message["cpu"]),
    )
