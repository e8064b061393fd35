"""The executor whose sandboxes are processes of this host."""

import asyncio
import os
import shutil
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

from ao.domain.errors import SandboxError
from ao.logs import get_logger
from ao.sandbox import OF_THIS_HOST, Level, Message, SandboxExit, SandboxInfo, SandboxSpec, StopCause, Template
from ao.sandbox.process.box import ProcessSandbox
from ao.sandbox.process.link import Link
from ao.sandbox.process.piped import exit_of
from ao.sandbox.process.plan import Plan, checked, first_words
from ao.sandbox.process.probe import LevelReport, Probe
from ao.sandbox.process.shared import SHARED, share
from ao.sandbox.process.strays import end_strays, name_for
from ao.sandbox.process.streams import Ends
from ao.sandbox.process.supervisor import control
from ao.sandbox.process.users import Users
from ao.sandbox.process.warm import WarmOptions, WarmPool
from ao.sandbox.process.warm.group import Slot
from ao.sandbox.process.warm.pool import DIED_WAITING

log = get_logger(__name__)

_HELLO_SECONDS = 30.0
_CHILD_SECONDS = 30.0
"""So long a child that has its task may take until it calls the agent's function."""
_BEGIN_SECONDS = 0.005
"""Most short runs have ended by then, and cost the supervisor no message; its first look is later anyway."""
_KEPT = ("supervisor.lock", SHARED)
_WARM = WarmOptions()
_CHILDREN_TRIED = 2
COLD_LEVEL = "warm starts need the level `namespaces`"
_COLD_GPUS = "a run with GPUs starts from nothing: its devices are its own"


class ProcessExecutor:
    """See `ao.sandbox.Executor`. Made by `open`; used from one event loop."""

    def __init__(self, work_root: Path, shared: Path, users: Users, warm: WarmOptions) -> None:
        self._work_root = work_root
        self._shared = shared
        self._users = users
        self._plan: Plan | None = None
        self._link: Link | None = None
        self._live: dict[str, ProcessSandbox] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._warm = WarmPool(self, warm)
        self._running: set[str] = set()
        """Ids of specs."""

    @classmethod
    async def open(
        cls, work_root: Path, *, level: Level | None = None, warm: WarmOptions = _WARM
    ) -> "ProcessExecutor":
        """Start the supervisor; wait for the end of an older one and clean what it left in `work_root`.
        `level` forces one; otherwise the best that works here is taken. Raises `SandboxError`."""
        executor = await cls._with_supervisor(work_root, warm)
        try:
            executor._plan = await executor._probe().choose(level)
        except BaseException:
            await executor.close()
            raise
        return executor

    @classmethod
    async def probe_report(cls, work_root: Path) -> list[LevelReport]:
        """Every level of this host, tried now, best first. `work_root` must be no other executor's."""
        executor = await cls._with_supervisor(work_root)
        try:
            return [(await executor._probe().check(level))[1] for level in OF_THIS_HOST]
        finally:
            await executor.close()

    @classmethod
    async def _with_supervisor(cls, work_root: Path, warm: WarmOptions = _WARM) -> "ProcessExecutor":
        await asyncio.to_thread(work_root.mkdir, parents=True, exist_ok=True)
        executor = cls(work_root, work_root / SHARED, Users.of_this_process(), warm)
        await executor.restart()
        return executor

    def _probe(self) -> Probe:
        return Probe(self._shared, self._users, self._try)

    async def _try(self, plan: Plan, spec: SandboxSpec) -> None:
        sandbox = await self._start(plan, spec)
        try:
            while await sandbox.receive() is not None:
                pass
            exit = await sandbox.wait()
        except BaseException:
            await asyncio.shield(self._abandon(sandbox))
            raise
        finally:
            sandbox.close()
        if exit.exit_code != 0:
            raise SandboxError(f"a sandbox that does nothing ended with {exit}")

    @property
    def info(self) -> SandboxInfo:
        plan = self._chosen()
        return SandboxInfo(plan.level, tuple(plan.degraded))

    @property
    def lost(self) -> asyncio.Event:
        if self._link is None:
            raise SandboxError("the executor is not open")
        return self._link.lost

    @property
    def supervisor_pid(self) -> int:
        return self._current().pid

    def kill(self) -> None:
        try:
            os.kill(self.supervisor_pid, signal.SIGKILL)
        except (ProcessLookupError, SandboxError):
            log.info("the sandbox supervisor is gone already")

    async def restart(self) -> None:
        if self._link is not None:
            await self._link.close()
            await asyncio.gather(*self._ending)
        link = await Link.open(self._work_root)
        await asyncio.to_thread(end_strays, self._work_root, link.pid)
        await asyncio.to_thread(_clean, self._work_root)
        await asyncio.to_thread(share, self._shared)
        self._link = link
        link.listen(self._on_message, self._on_lost)

    async def renew(self, seconds: float) -> None:
        self._current().send({"op": "renew", "seconds": seconds})

    async def close(self) -> None:
        if self._link is None:
            return
        for sandbox in list(self._live.values()):
            await sandbox.stop(StopCause.SHUTDOWN)
        await asyncio.gather(*(sandbox.wait() for sandbox in list(self._live.values())))
        if not self._link.dead:
            await self._warm.close()
        await self._link.close()
        await asyncio.gather(*self._ending)

    async def provide(self, spec: SandboxSpec, told: Callable[[str], None]) -> None:
        """Nothing is missing: sandboxes start from this host."""

    async def tidy(self) -> None:
        """Nothing was provided."""

    async def start(self, spec: SandboxSpec) -> ProcessSandbox:
        plan = self._chosen()
        self._current()
        if spec.id in self._running:
            raise SandboxError(f"sandbox {spec.id} is already running")
        self._running.add(spec.id)
        try:
            return await self._start_warm_or_cold(plan, spec)
        except BaseException:
            self._running.discard(spec.id)
            raise

    async def prepare(self, spec: SandboxSpec) -> str:
        """Return when the next run like this one will start warm, or why it will not."""
        if self._chosen().slot(spec, 0) is None:
            return COLD_LEVEL
        return _COLD_GPUS if spec.gpus else await self._warm.prepare(spec)

    def keep(self, specs: Sequence[SandboxSpec]) -> None:
        self._warm.keep(specs)

    def templates(self) -> Sequence[Template]:
        return self._warm.templates()

    async def cool(self) -> None:
        """End all that waits to start runs warm."""
        await self._warm.cool()

    async def _start_warm_or_cold(self, plan: Plan, spec: SandboxSpec) -> ProcessSandbox:
        if plan.level is not Level.NAMESPACES:
            return await self._start(plan, spec, COLD_LEVEL)
        if spec.gpus:
            return await self._start(plan, spec, _COLD_GPUS)
        variables = checked(spec.run_env)
        words = {**first_words(spec, plan.paths(spec), egress=False), "env": variables}
        for _ in range(_CHILDREN_TRIED):
            sandbox, why_cold = await self._warm.take(spec)
            if sandbox is None:
                return await self._start(plan, spec, why_cold)
            if await self._hand_over(sandbox, spec, words):
                return sandbox
        return await self._start(plan, spec, DIED_WAITING)

    async def _hand_over(self, sandbox: ProcessSandbox, spec: SandboxSpec, words: Message) -> bool:
        """Give a waiting child its task; False when it does not come to call the agent's function."""
        asyncio.get_running_loop().call_later(_BEGIN_SECONDS, self._begin, sandbox)
        why = DIED_WAITING
        try:
            await sandbox.send(words)
            async with asyncio.timeout(_CHILD_SECONDS):
                message = await sandbox.receive()
            if message is not None:
                sandbox.put_back(message)
                sandbox.assign(spec)
                return True
        except TimeoutError:
            why = f"a child of its template did not begin within {_CHILD_SECONDS:g} s"
        except BaseException:
            await asyncio.shield(self._abandon(sandbox))
            raise
        self._warm.give_up(sandbox, why)
        await asyncio.shield(self._end_before_it_begins(sandbox))
        return False

    async def _end_before_it_begins(self, sandbox: ProcessSandbox) -> None:
        """Raises `SandboxError` when it has begun after all: another start would do again what it has done."""
        try:
            await sandbox.stop(StopCause.SHUTDOWN)
            await sandbox.wait()
            if await sandbox.receive() is not None:
                raise SandboxError("the agent's function was called too late, and was ended")
        finally:
            sandbox.close()

    def _begin(self, sandbox: ProcessSandbox) -> None:
        """Have the limits of a run watched that has not ended by now."""
        if self._link is not None and not sandbox.ended.done():
            self._link.send({"op": "begin", "slot": sandbox.slot_id})

    def _first_words(self, sandbox: ProcessSandbox) -> Message:
        spec, egress = sandbox.spec, sandbox.has_egress
        return first_words(spec, sandbox.plan.paths(spec), egress=egress, version=sandbox.protocol)

    async def _start(self, plan: Plan, spec: SandboxSpec, why_cold: str = "") -> ProcessSandbox:
        sandbox = self._launch(plan, spec, why_cold)
        try:
            await self._greet(sandbox)
        except BaseException:
            await asyncio.shield(self._abandon(sandbox))
            raise
        return sandbox

    # What the warm pool needs

    def take_uid(self) -> int:
        return self._users.take()

    def give_back_uid(self, uid: int) -> None:
        self._users.give_back(uid)

    def make_slot(self, id: str, template: SandboxSpec, uid: int) -> None:
        request = self._chosen().slot(template, uid)
        if request is None:
            raise SandboxError(COLD_LEVEL)
        launch = {**cast("dict[str, object]", request["launch"]), "name": name_for(self._work_root)}
        self._current().send({**request, "op": "start", "id": id, "launch": launch, "fds": 0})

    def fork(self, slot: Slot, id: str, *, quick: bool) -> ProcessSandbox:
        ends = Ends()
        sandbox = ProcessSandbox(
            slot.group.template, self._chosen(), None, ends, self._stop,
            id=id, slot_id=slot.id, namespaces=slot.namespaces, first_fd=slot.first_fd,
        )  # fmt: skip
        self._live[id] = sandbox
        message = {"op": "fork", "slot": slot.id, "id": id, "quick": quick, "fds": len(ends.theirs)}
        assert self._link is not None
        self._link.send(message, ends.theirs)
        return sandbox

    def end_slot(self, id: str) -> None:
        if self._link is not None:
            self._link.send({"op": "stop", "id": id, "cause": StopCause.SHUTDOWN, "grace": 0})

    def _launch(self, plan: Plan, spec: SandboxSpec, why_cold: str) -> ProcessSandbox:
        link, uid = self._current(), self._users.take()
        ends = Ends()
        sandbox = ProcessSandbox(spec, plan, uid, ends, self._stop, why_cold=why_cold)
        self._live[spec.id] = sandbox
        try:
            plan.prepare(spec, uid)
            launch, limits = {**plan.launch(spec, uid), "name": name_for(self._work_root)}, plan.limits(spec)
            start = {"op": "start", "id": spec.id, "launch": launch, "limits": limits, "fds": len(ends.theirs)}
        except BaseException:
            control.close_all(ends.theirs)
            self._forget(sandbox)
            plan.clean(spec)
            sandbox.close()
            raise
        link.send(start, ends.theirs)
        return sandbox

    async def _greet(self, sandbox: ProcessSandbox) -> None:
        """Wait for the runner and give it its task."""
        try:
            async with asyncio.timeout(_HELLO_SECONDS):
                hello = await sandbox.receive()
        except TimeoutError as error:
            raise SandboxError(f"the runner did not come up within {_HELLO_SECONDS:.0f} s") from error
        if hello is None or hello["type"] != "hello":
            raise await self._failure(sandbox)
        sandbox.greeted(hello)
        await sandbox.send(self._first_words(sandbox))

    async def _failure(self, sandbox: ProcessSandbox) -> SandboxError:
        """Why a sandbox ended before its runner said hello."""
        await sandbox.stop(StopCause.PROTOCOL)
        end = await sandbox.wait()
        said = bytearray()
        while data := await sandbox.read_stderr():
            said += data
        how = end.exit_code if end.signal is None else f"signal {end.signal}"
        text = said.decode("utf-8", "replace").strip() or end.detail or f"it ended with {how}"
        return SandboxError(
            f"the sandbox could not be made: {text.splitlines()[-1]}",
            hint="`ao doctor` checks every isolation level of this host.",
            details={"output": text},
        )

    async def _abandon(self, sandbox: ProcessSandbox) -> None:
        await sandbox.stop(StopCause.SHUTDOWN)
        await sandbox.wait()
        sandbox.close()

    async def _stop(self, id: str, cause: StopCause, grace_seconds: float) -> None:
        if self._link is not None:
            self._link.send({"op": "stop", "id": id, "cause": cause, "grace": grace_seconds})

    def _on_message(self, message: control.Message) -> None:
        if self._warm.on_message(message):
            return
        sandbox = self._live[str(message["id"])]
        if message["op"] == "started":
            sandbox.on_started(message)
        elif message["op"] == "refused":
            self._end(sandbox, SandboxExit(1, None, None, str(message["message"])))
        else:
            self._end(sandbox, exit_of(message))

    def _end(self, sandbox: ProcessSandbox, exit: SandboxExit) -> None:
        if sandbox.slot_id:
            self._forget(sandbox)
            sandbox.finish(exit)
            return
        ending = asyncio.create_task(self._clean(sandbox, exit), name=f"end of sandbox {sandbox.id}")
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    async def _clean(self, sandbox: ProcessSandbox, exit: SandboxExit) -> None:
        try:
            if sandbox.plan.level is not Level.NAMESPACES:
                await asyncio.to_thread(sandbox.plan.clean, sandbox.spec)
        finally:
            self._forget(sandbox)
            await sandbox.end(exit)

    async def _on_lost(self) -> None:
        """The supervisor is gone; the kernel kills its sandboxes, but for the odd one."""
        try:
            await asyncio.to_thread(end_strays, self._work_root)
        except TimeoutError as error:
            log.error("processes are left of a supervisor that died", error=str(error))
        for sandbox in list(self._live.values()):
            await sandbox.gone()
        self._warm.lose_all()
        for sandbox in list(self._live.values()):
            self._end(
                sandbox, SandboxExit(None, 9, StopCause.LOST, "the supervisor died, and the sandbox with it")
            )

    def _forget(self, sandbox: ProcessSandbox) -> None:
        del self._live[sandbox.id]
        self._running.discard(sandbox.spec.id)
        if sandbox.uid is None:
            self._warm.on_run_ended(sandbox)
        else:
            self._users.give_back(sandbox.uid)

    def _current(self) -> Link:
        if self._link is None or self._link.dead:
            raise SandboxError("the supervisor of the sandboxes is gone")
        return self._link

    def _chosen(self) -> Plan:
        if self._plan is None:
            raise SandboxError("the executor is not open")
        return self._plan


def _clean(work_root: Path) -> None:
    """Remove what a crash left. The lock is held, so nobody uses it."""
    for path in work_root.iterdir():
        if path.name not in _KEPT:
            shutil.rmtree(path)
