"""A whole platform in this process and event loop: real store, builder, supervisor and sandboxes."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from pydantic import JsonValue
from tests.platform import children_of, processes_mentioning

from ao.bus import build_topic, run_topic
from ao.domain.deployment import DeploymentStatus
from ao.domain.event import Event, EventKind
from ao.domain.run import RunState
from ao.home import Home
from ao.ids import RunId
from ao.project.packing import pack
from ao.settings import Settings, parse
from ao.store.records import Deployment, Run
from ao.wire.lines import log_lines
from ao.wire.schemas import RunCreate
from ao.wiring import Platform, open_platform
from ao.worker.loop import Worker

ACTOR = "key:test"
WAIT_SECONDS = 180.0
HINT_SECONDS = 1.0


class Local:
    def __init__(self, platform: Platform, scratch: Path) -> None:
        self.platform = platform
        self.scratch = scratch
        self._worker: asyncio.Task[None] | None = None

    async def deploy(self, name: str, files: Mapping[str, str], *, toml: str = "") -> Deployment:
        """Deploy a project of these files and wait for its build; fails the test when it fails."""
        built = await self.try_deploy(name, files, toml=toml)
        assert built.status is DeploymentStatus.SUCCEEDED, built.error
        return built

    async def try_deploy(self, name: str, files: Mapping[str, str], *, toml: str = "") -> Deployment:
        project = self.scratch / f"project-{name}"
        project.mkdir(exist_ok=True)
        for path, text in {"ao.toml": f'name = "{name}"\n{toml}\n', **files}.items():
            (project / path).parent.mkdir(parents=True, exist_ok=True)
            (project / path).write_text(text)
        archive = self.scratch / f"{name}.tar"
        packed = pack(project, archive)
        deployments = self.platform.deployments
        deployment = await deployments.deploy(name, archive, packed.digest, actor=ACTOR)
        with self.platform.bus.subscribe(build_topic(deployment.id)) as hints:
            while deployment.status is DeploymentStatus.BUILDING:
                await hints.wait(HINT_SECONDS)
                deployment = await deployments.get(name, deployment.version)
        return deployment

    async def submit(self, agent: str, input: JsonValue = None, **more: object) -> RunId:
        request = RunCreate.model_validate({"agent": agent, "input": input, **more})
        run, _ = await self.platform.services.runs.create(request, ACTOR)
        return run.id

    async def result(self, run_id: RunId) -> Run:
        """The run when it has ended."""
        run = await self.platform.services.runs.wait(run_id, WAIT_SECONDS)
        assert run.head.state.terminal, f"still {run.head.state}"
        return run

    async def run(self, agent: str, input: JsonValue = None, **more: object) -> Run:
        return await self.result(await self.submit(agent, input, **more))

    async def output(self, run: Run) -> JsonValue:
        assert run.error is None, run.error
        return await self.platform.services.runs.payload(run.output)

    async def events(self, run_id: RunId) -> list[Event]:
        return list(await self.platform.services.runs.events(run_id, 0, 10_000))

    async def lines(self, run_id: RunId) -> list[str]:
        return [
            line.text
            for event in await self.events(run_id)
            if event.kind is EventKind.LOG
            for line in log_lines(event.seq, event.data)
        ]

    async def until_line(self, run_id: RunId, text: str) -> None:
        """Wait until the run has printed `text`."""
        with self.platform.bus.subscribe(run_topic(run_id)) as hints:
            async with asyncio.timeout(WAIT_SECONDS):
                while text not in await self.lines(run_id):
                    await hints.wait(HINT_SECONDS)

    def supervisors(self) -> list[int]:
        """Pids of this platform's supervisors: one, but for the moment when one replaces another."""
        ours = processes_mentioning(str(self.scratch))
        return [pid for pid in children_of(os.getpid()) if "supervisor.lock" in ours.get(pid, "")]

    async def until_state(self, run_id: RunId, state: RunState, attempt: int = 0) -> Run:
        """Wait until the run is in `state`, at least so many attempts later."""
        with self.platform.bus.subscribe(run_topic(run_id)) as hints:
            async with asyncio.timeout(WAIT_SECONDS):
                while True:
                    run = await self.platform.store.runs.get(run_id)
                    if run.head.state is state and run.head.attempt >= attempt:
                        return run
                    await hints.wait(0.02)  # a claim gives no hint

    @property
    def worker(self) -> Worker:
        assert self.platform.crew is not None
        return self.platform.crew.worker

    def start_worker(self) -> None:
        self._worker = asyncio.create_task(self.worker.run())

    async def stop_worker(self) -> None:
        if self._worker is not None:
            self.worker.drain()
            await self._worker


def settings_for(home: Path, variables: Mapping[str, str] | None = None) -> Settings:
    return parse({"AO_HOME": str(home), "HOME": str(home.parent), **(variables or {})})


@asynccontextmanager
async def local_platform(
    scratch: Path, variables: Mapping[str, str] | None = None, *, worker: bool = True
) -> AsyncIterator[Local]:
    """Open a platform with its home in `scratch`; everything is ended when the block is left."""
    settings = settings_for(scratch / "home", variables)
    home = Home(settings.home)
    home.prepare()
    with home.locked():
        async with AsyncExitStack() as stack:
            platform = await open_platform(settings, home, stack)
            local = Local(platform, scratch)
            duties = [asyncio.create_task(duty) for duty in platform.duties().values()]
            if worker:
                local.start_worker()
            try:
                yield local
            finally:
                await local.stop_worker()
                for duty in duties:
                    duty.cancel()
                await asyncio.wait(duties)
                for duty in duties:
                    if not duty.cancelled():
                        duty.result()  # a duty ends in no other way
