"""One running attempt, as the worker sees it."""

import asyncio
import contextlib
import dataclasses
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import cast

from ao.sandbox import Level, Message, SandboxExit, SandboxInfo, SandboxSpec, StopCause
from ao.sandbox.egress import EgressProxy, Rules
from ao.sandbox.process.plan import Plan
from ao.sandbox.process.streams import Ends, ready
from ao.sandbox.process.supervisor import control
from ao_runner import protocol

Stop = Callable[[str, StopCause, float], Awaitable[None]]


class ProcessSandbox:
    """See `ao.sandbox.Sandbox`."""

    def __init__(
        self,
        spec: SandboxSpec,
        plan: Plan,
        uid: int | None,
        ends: Ends,
        stop: Stop,
        *,
        id: str = "",
        slot_id: str = "",
        namespaces: Mapping[str, int] | None = None,
        first_fd: int | None = None,
        why_cold: str = "",
    ) -> None:
        """`uid` is its own, None when it shares that of its slot; `id` is what the supervisor calls it. What
        lies in a slot knows its namespaces, and its first process by a descriptor of the slot's."""
        self.id = id or spec.id
        self.spec = spec
        self.plan = plan
        self.uid = uid
        self.slot_id = slot_id
        lines = (*plan.degraded, *plan.degraded_for(spec))
        self._info = SandboxInfo(plan.level, lines, namespaces or {}, warm=bool(slot_id), why_cold=why_cold)
        self._stdout, self._stderr, self._runner = ends.stdout, ends.stderr, ends.runner
        self._over = ends.over
        self._stop = stop
        self._exit: asyncio.Future[SandboxExit] = asyncio.get_running_loop().create_future()
        self._egress: EgressProxy | None = None
        self.protocol = protocol.VERSION
        """The version that both ends speak, once the runner has said hello."""
        self._first_fd = first_fd
        """The first process, by a descriptor that no other process can take over."""

    def assign(self, spec: SandboxSpec) -> None:
        """A child that was waiting is this run from now on."""
        self.spec = spec

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

    async def wait(self) -> SandboxExit:
        return await asyncio.shield(self._exit)

    @property
    def ended(self) -> asyncio.Future[SandboxExit]:
        return self._exit

    @property
    def has_egress(self) -> bool:
        """Whether there is a proxy: it needs a loopback of the sandbox's own."""
        return self.spec.network.policy == "hosts" and self.plan.level is Level.NAMESPACES

    async def _serve_listener(self) -> None:
        """The runner passed its listening socket: what connects to it inside is served here."""
        fd = self._runner.take_fd()
        if fd is None or self._egress is not None or not self.has_egress:
            raise protocol.ProtocolError("a listener that nobody asked for")
        self._egress = EgressProxy(Rules(self.spec.network.hosts), self.id)
        await self._egress.serve(socket.socket(fileno=fd))

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

    # What the supervisor reports

    def on_started(self, message: control.Message) -> None:
        try:
            self._first_fd = os.pidfd_open(cast("int", message["pid"]))
        except ProcessLookupError:
            return
        self._info = dataclasses.replace(self._info, namespaces=cast("dict[str, int]", message["namespaces"]))

    def finish(self, exit: SandboxExit) -> None:
        if self._first_fd is not None and not self.slot_id:
            os.close(self._first_fd)
        self._first_fd = None
        if not self._exit.done():
            self._over.set_result(None)
            self._exit.set_result(exit)

    async def gone(self) -> None:
        """Wait until the first process is gone, and with it all others. The kernel tells it of its
        supervisor's end: pid 1 of a namespace is killed, an init of ours first ends its tree."""
        if self._first_fd is None:
            return
        own_namespace = self.plan.level is Level.NAMESPACES
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._first_fd, signal.SIGKILL if own_namespace else signal.SIGCONT)
        await ready(self._first_fd)


def exit_of(message: control.Message) -> SandboxExit:
    """The supervisor's `exited`."""
    cause = cast("str | None", message["cause"])
    return SandboxExit(
        exit_code=cast("int | None", message["code"]),
        signal=cast("int | None", message["signal"]),
        cause=StopCause(cause) if cause else None,
        detail=str(message["detail"]),
        max_rss_bytes=cast("int | None", message["max_rss"]),
        cpu_seconds=cast("float | None", message["cpu"]),
    )
