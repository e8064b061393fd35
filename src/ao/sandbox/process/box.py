"""One running attempt whose processes are this host's."""

import contextlib
import os
import signal
from collections.abc import Mapping
from typing import cast

from ao.sandbox import Level, SandboxExit, SandboxSpec
from ao.sandbox.process.piped import PipedSandbox, Stop
from ao.sandbox.process.plan import Plan
from ao.sandbox.process.streams import Ends, ready
from ao.sandbox.process.supervisor import control


class ProcessSandbox(PipedSandbox):
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
        """`uid` is its own, None when it shares that of its slot. What lies in a slot knows its namespaces, and
        its first process by a descriptor of the slot's."""
        lines = (*plan.degraded, *plan.degraded_for(spec))
        super().__init__(
            spec, plan.level, lines, ends, stop,
            id=id, namespaces=namespaces, warm=bool(slot_id), why_cold=why_cold,
        )  # fmt: skip
        self.plan = plan
        self.uid = uid
        self.slot_id = slot_id
        self._first_fd = first_fd
        """The first process, by a descriptor that no other process can take over."""

    def assign(self, spec: SandboxSpec) -> None:
        """A child that was waiting is this run from now on."""
        self.spec = spec

    # What the supervisor reports

    def on_started(self, message: control.Message) -> None:
        try:
            self._first_fd = os.pidfd_open(cast("int", message["pid"]))
        except ProcessLookupError:
            return
        self.located(cast("dict[str, int]", message["namespaces"]))

    def finish(self, exit: SandboxExit) -> None:
        if self._first_fd is not None and not self.slot_id:
            os.close(self._first_fd)
        self._first_fd = None
        super().finish(exit)

    async def gone(self) -> None:
        """Wait until the first process is gone, and with it all others. The kernel tells it of its
        supervisor's end: pid 1 of a namespace is killed, an init of ours first ends its tree."""
        if self._first_fd is None:
            return
        own_namespace = self.plan.level is Level.NAMESPACES
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._first_fd, signal.SIGKILL if own_namespace else signal.SIGCONT)
        await ready(self._first_fd)
