"""The executor whose sandboxes are containers of a Docker Engine on this host."""

import asyncio
import base64
import os
import platform
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ao.domain.errors import AoError, SandboxError
from ao.logs import get_logger
from ao.sandbox import Level, Message, SandboxExit, SandboxInfo, SandboxSpec, StopCause, Template
from ao.sandbox.docker import container
from ao.sandbox.docker.bytecode import Bytecode
from ao.sandbox.docker.container import DOOR, INSIDE, PATHS, UID, mount
from ao.sandbox.docker.dockerfiles import Dockerfiles
from ao.sandbox.docker.door import Door
from ao.sandbox.docker.engine import Engine, EngineFacts, Json, NameTaken, NoSuchThing, socket_of
from ao.sandbox.docker.environment import mounts_for
from ao.sandbox.docker.images import PLACEHOLDER, Image, Images
from ao.sandbox.docker.place import Place
from ao.sandbox.process import COLD_LEVEL
from ao.sandbox.process.piped import PipedSandbox, exit_of
from ao.sandbox.process.plan import first_words
from ao.sandbox.process.streams import Ends
from ao.sandbox.process.supervisor import control
from ao.sandbox.process.supervisor.bpf import ARCHITECTURES
from ao.sandbox.process.supervisor.calls import filter_program

log = get_logger(__name__)

LABEL = "ao.sandboxes-of"
_HELLO_SECONDS = 30.0
_LOOK_SECONDS = 1.0
"""A container that has not come to its door by then is looked at, again and again."""
_GONE_SECONDS = 10.0
_GONE_LOOK_SECONDS = 0.02
_FIRST = f"import sys; sys.path.insert(0, {INSIDE!r}); from supervisor.inside import main; main()"


@dataclass(frozen=True, slots=True)
class DockerOptions:
    image: str = f"python:{PLACEHOLDER}-slim"
    """For agents that name none; `{python}` is their version, such as `3.12`."""
    network: str = "bridge"
    """The engine's network for agents whose network is `full`."""
    build: str = "bridge"
    """The engine's network in which Dockerfiles of agents are built; `off`: none is built."""


@dataclass(slots=True)
class _Made:
    """A container, from the request for it to its end."""

    name: str
    door: Door
    sandbox: PipedSandbox
    cause: StopCause | None = None
    """Why AO wants its end."""
    watch: asyncio.Task[None] | None = None


class DockerExecutor:
    """See `ao.sandbox.Executor`. Made by `open`; used from one event loop."""

    def __init__(self, place: Place, engine: Engine, facts: EngineFacts, options: DockerOptions) -> None:
        self._place = place
        self._engine = engine
        self.facts = facts
        self._options = options
        self._labels = {LABEL: place.name}
        self.images = Images(
            engine,
            options.image,
            self._labels,
            Bytecode(place.bytecode),
            Dockerfiles(engine, options.build, place.images),
        )
        self._filter = base64.b64encode(_filter()).decode()
        # SELinux would keep containers from directories that do not bear its label for them.
        self._security = ["label=disable"] if "selinux" in facts.security else []
        self._live: dict[str, _Made] = {}
        self._deadline: float | None = None
        self._lost = asyncio.Event()
        self._giving_up: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls, work_root: Path, environ: Mapping[str, str], options: DockerOptions | None = None
    ) -> "DockerExecutor":
        """Take `work_root` and end what an earlier executor of it left. DOCKER_HOST of `environ` names the
        engine. Raises `SandboxError`, `Unavailable` when no engine answers."""
        engine, place = await Engine.open(socket_of(environ)), Place(work_root)
        try:
            await asyncio.to_thread(place.take)
            executor = cls(place, engine, await engine.facts(), options or DockerOptions())
            await executor.restart()
        except BaseException:
            place.leave()
            await engine.close()
            raise
        return executor

    @property
    def info(self) -> SandboxInfo:
        return SandboxInfo(Level.DOCKER, tuple(self.facts.degraded))

    @property
    def lost(self) -> asyncio.Event:
        return self._lost

    def kill(self) -> None:
        """Let go of all containers, which ends them."""
        if self._giving_up is None:
            self._giving_up = asyncio.create_task(self._give_up(), name="end of all containers")

    async def _give_up(self) -> None:
        live = list(self._live.values())
        for made in live:
            made.door.hang_up()
        await asyncio.gather(*(made.sandbox.wait() for made in live))
        self._lost.set()

    async def restart(self) -> None:
        """Go on with no container but those that are started from now on."""
        for id in await self._left():
            await self._engine.remove(id)
        await self.until_gone()
        await asyncio.to_thread(self._place.prepare)
        await self.tidy()
        self._lost, self._giving_up = asyncio.Event(), None

    async def renew(self, seconds: float) -> None:
        self._deadline = _boot_seconds() + seconds
        for made in self._live.values():
            made.door.send({"op": "renew", "deadline": self._deadline})

    async def close(self) -> None:
        live = list(self._live.values())
        for made in live:
            await made.sandbox.stop(StopCause.SHUTDOWN)
        await asyncio.gather(*(made.sandbox.wait() for made in live))
        try:
            await self.until_gone()
        except AoError as error:  # they have ended; the engine removes them, or the next executor does
            log.warning("containers that have ended are not removed yet", error=error.message)
        finally:
            await self._engine.close()
            self._place.leave()

    async def provide(self, spec: SandboxSpec, told: Callable[[str], None]) -> None:
        """Build the image of the agent's Dockerfile, and look whether it has the agent's Python."""
        if spec.dockerfile is not None:
            await self.images.dockerfiles.provide(spec, told)
            await self.images.of(spec)

    async def tidy(self) -> None:
        await self.images.dockerfiles.forget_unused()
        await self.images.forget_removed()

    async def start(self, spec: SandboxSpec) -> PipedSandbox:
        if self._giving_up is not None:
            raise SandboxError("all containers of this worker were given up; others can be started in a moment")
        if spec.id in self._live:
            raise SandboxError(f"sandbox {spec.id} is already running")
        ends = Ends()
        sandbox = PipedSandbox(spec, Level.DOCKER, self.facts.degraded, ends, self._stop, why_cold=COLD_LEVEL)
        made = _Made(f"ao-{spec.id}", Door(self._place.doors / spec.id), sandbox)
        self._live[spec.id] = made
        try:
            await self._bring_up(made, ends)
            await self._greet(sandbox)
        except BaseException:
            await asyncio.shield(self._abandon(made))
            raise
        return sandbox

    # Warm starts: there are none

    async def prepare(self, spec: SandboxSpec) -> str:
        return COLD_LEVEL

    def keep(self, specs: Sequence[SandboxSpec]) -> None:
        """Nothing is kept."""

    def templates(self) -> Sequence[Template]:
        return ()

    async def cool(self) -> None:
        """Nothing waits."""

    # One container

    async def _bring_up(self, made: _Made, ends: Ends) -> None:
        spec = made.sandbox.spec
        try:
            image = await self.images.of(spec)
            start = container.first_start(spec, image.variables, self._filter, self._deadline)
            body = await asyncio.to_thread(self._body, spec, image, made.door)
            await _whole(self._create(made.name, body))
            await _whole(self._engine.start(made.name))
            await self._admit(made)
            await made.door.begin({**start, "deadline": self._deadline}, ends.theirs)
        finally:
            control.close_all(ends.theirs)
        made.watch = asyncio.create_task(self._watch(made), name=f"container {made.name}")

    def _body(self, spec: SandboxSpec, image: Image, door: Door) -> Json:
        door.open()
        if os.geteuid() == 0:
            for directory in spec.writable_dirs:
                os.chown(directory, UID, UID)
        mounts = [
            mount(spec.code_dir),
            *mounts_for(spec.env_dir, image.python, self._place.environments),
            mount(self._place.shared, INSIDE),
            mount(door.directory, DOOR),
            *image.bytecode,
            *self._place.users(),
            *(mount(path) for path in spec.readable_dirs),
            *(mount(path, write=True) for path in spec.writable_dirs),
        ]
        mounts += container.above(mounts, door.directory / "above")
        return container.for_run(
            spec,
            image.id,
            labels={**self._labels, "ao.sandbox": spec.id},
            command=[str(image.python), "-I", "-S", "-c", _FIRST, f"{DOOR}/{door.NAME}"],
            mounts=list({each["Target"]: each for each in mounts}.values()),
            network=self._options.network,
            cpus=self.facts.cpus,
            security=self._security,
        )

    async def _create(self, name: str, body: Json) -> None:
        """A container of this name is what a crash left of this very attempt."""
        deadline = time.monotonic() + _GONE_SECONDS
        while True:
            try:
                await self._engine.create(name, body)
            except NameTaken:
                if time.monotonic() > deadline:
                    raise
                await self._engine.remove(name)
                await asyncio.sleep(_GONE_LOOK_SECONDS)
            else:
                return

    async def _admit(self, made: _Made) -> None:
        admitted = asyncio.ensure_future(made.door.admit())
        try:
            async with asyncio.timeout(_HELLO_SECONDS):
                while not (await asyncio.wait({admitted}, timeout=_LOOK_SECONDS))[0]:
                    state = await self._engine.state(made.name)
                    if not state["Running"]:
                        raise NoSuchThing(f"it is {state['Status']}")
            admitted.result()
        except NoSuchThing as error:
            raise SandboxError(
                f"the container {made.name} ended before it could start its agent: {error.message}",
                hint="`ao doctor` tries one.",
            ) from error
        except TimeoutError as error:
            raise SandboxError(f"the container did not come up within {_HELLO_SECONDS:.0f} s") from error
        finally:
            admitted.cancel()
            await asyncio.wait({admitted})

    async def _greet(self, sandbox: PipedSandbox) -> None:
        """Wait for the runner and give it its task."""
        try:
            async with asyncio.timeout(_HELLO_SECONDS):
                hello = await sandbox.receive()
        except TimeoutError as error:
            raise SandboxError(f"the runner did not come up within {_HELLO_SECONDS:.0f} s") from error
        if hello is None or hello["type"] != "hello":
            raise await _failure(sandbox)
        sandbox.greeted(hello)
        namespaces = hello.get("namespaces")
        sandbox.located(namespaces if isinstance(namespaces, dict) else {})
        words = first_words(sandbox.spec, PATHS, egress=sandbox.has_egress, version=sandbox.protocol)
        await sandbox.send(words)

    async def _watch(self, made: _Made) -> None:
        """Until it ends; its first process tells how, unless that was ended from outside."""
        told: Message | None = None
        while (message := await made.door.receive()) is not None:
            told = message
        if told is not None:
            exit = exit_of(told)
        else:
            await self._until_dead(made.name)
            words = "" if made.cause else f"the container {made.name} was ended from outside"
            exit = SandboxExit(None, 9, made.cause or StopCause.LOST, words)
        await self._end(made, exit)

    async def _until_dead(self, name: str) -> None:
        """Its first process is gone; the kernel ends the others with it."""
        try:
            while (await self._engine.state(name))["Running"]:  # noqa: ASYNC110 - the engine's word counts
                await asyncio.sleep(_GONE_LOOK_SECONDS)
        except NoSuchThing:
            return
        except AoError as error:
            log.warning("the end of a container is not confirmed", name=name, error=error.message)

    async def _end(self, made: _Made, exit: SandboxExit) -> None:
        await asyncio.to_thread(made.door.close)
        del self._live[made.sandbox.id]
        await made.sandbox.end(exit)

    async def _abandon(self, made: _Made) -> None:
        """It was not to be, wherever it has come to."""
        made.door.hang_up()
        try:
            await self._engine.remove(made.name)
        except AoError as error:
            log.warning("a container that is not wanted is left", name=made.name, error=error.message)
        if made.watch is not None:
            await made.watch
        else:
            await self._end(made, SandboxExit(None, 9, StopCause.SHUTDOWN))
        made.sandbox.close()

    async def _stop(self, id: str, cause: StopCause, grace_seconds: float) -> None:
        made = self._live.get(id)
        if made is not None:
            made.cause = made.cause or cause
            made.door.send({"op": "stop", "cause": cause, "grace": grace_seconds})

    async def until_gone(self) -> None:
        """Wait for the engine to have removed what has ended. Raises `SandboxError` when it does not."""
        deadline = time.monotonic() + _GONE_SECONDS
        while left := await self._left():
            if time.monotonic() > deadline:
                raise SandboxError(f"the Docker Engine does not remove containers of this worker: {left}")
            await asyncio.sleep(_GONE_LOOK_SECONDS)

    async def _left(self) -> list[str]:
        return await self._engine.labelled(f"{LABEL}={self._place.name}")


async def _failure(sandbox: PipedSandbox) -> SandboxError:
    """Why a sandbox ended before its runner said hello."""
    await sandbox.stop(StopCause.PROTOCOL)
    end = await sandbox.wait()
    said = bytearray()
    while data := await sandbox.read_stderr():
        said += data
    text = said.decode("utf-8", "replace").strip() or end.detail or f"it ended with {end.exit_code}"
    return SandboxError(f"the runner could not be started: {text.splitlines()[-1]}", details={"output": text})


async def _whole(request: Coroutine[None, None, None]) -> None:
    """Who is cancelled meanwhile still waits for the engine's answer: what it made can then be removed."""
    asked = asyncio.ensure_future(request)
    try:
        await asyncio.shield(asked)
    except asyncio.CancelledError:
        await asyncio.wait({asked})
        raise


def _filter() -> bytes:
    machine = platform.machine()
    if machine not in ARCHITECTURES:
        raise SandboxError(f"AO knows no system calls of {machine}")
    return filter_program(machine)


def _boot_seconds() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)
