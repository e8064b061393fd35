"""Deployments: received, built in the background, made live by a pointer, taken back by another."""

import asyncio
import random
import time
from collections.abc import Sequence
from pathlib import Path

from ao.build import Builder, BuildRequest, Collected, Recall, Upload
from ao.bus import POINTERS, READY, SCHEDULES, Bus, build_topic
from ao.control import audit
from ao.control.buildlog import BuildLog
from ao.control.catalog import Catalog
from ao.control.ticker import declared
from ao.domain.agent_config import AgentConfig
from ao.domain.deployment import DEFAULT_ENVIRONMENT, DeploymentStatus
from ao.domain.errors import AoError, Conflict, InvalidInput, Problem, StorageFull, Unavailable
from ao.ids import DeploymentId, Digest, new_deployment_id
from ao.logs import get_logger
from ao.sandbox import Executor
from ao.store import Store
from ao.store.records import Agent, BuiltRelease, Deployment, NewDeployment, PointerMove
from ao.wire.schemas import PartDiff

log = get_logger(__name__)

RESTORED = ("code", "dependencies", "models", "prompts", "tools", "data", "configuration", "cron schedule")
NOT_RESTORED = ("secrets", "runs that are in flight (they stay on their version)", "what runs have written")
STOPPED = "the server stopped during the build"
RETRY_SECONDS = 1.0
LEASE_US = 30_000_000
"""A build whose server has not been heard of for so long is failed."""
RENEW_SECONDS = 5.0
REUSABLE_RELEASES = 20
"""How many earlier versions are searched for a lock of equal requirements."""


class Deployments:
    def __init__(self, store: Store, builder: Builder, bus: Bus, catalog: Catalog) -> None:
        self._store = store
        self._catalog = catalog
        self._builder = builder
        self._bus = bus
        self._builds: set[asyncio.Task[None]] = set()
        self._building: set[DeploymentId] = set()
        self._closing = False

    async def deploy(
        self, agent: str, archive: Path, digest: Digest, *, actor: str, message: str = "", upgrade: bool = False
    ) -> Deployment:
        """Check an uploaded archive, number it and start its build; returns it as `building`.

        Raises UploadRefused, InvalidConfig, InvalidInput. The archive file stays the caller's.
        """
        upload = await self._builder.receive(archive, digest)
        try:
            if upload.config.name != agent:
                raise InvalidInput(
                    f"ao.toml names the agent {upload.config.name!r}, the request {agent!r}",
                    hint="deploy to the name in ao.toml",
                    problems=[Problem("name", f"is {upload.config.name!r}, expected {agent!r}")],
                )
            deployment = await self._store.deployments.create(
                NewDeployment(new_deployment_id(), agent, actor, digest, message, LEASE_US),
                audit.entry(
                    actor, "deployment.create", f"agent:{agent}", agent, source=digest, message=message
                ),
            )
        except BaseException:
            await self._builder.discard(upload)
            raise
        if self._closing:  # nobody would stop this build any more
            await self._builder.discard(upload)
            await self._fail(deployment, STOPPED)
            return await self._store.deployments.get_by_id(deployment.id)
        task = asyncio.create_task(self._build(deployment, upload, upgrade), name=f"build {deployment.id}")
        self._builds.add(task)
        task.add_done_callback(self._builds.discard)
        return deployment

    async def _build(self, deployment: Deployment, upload: Upload, upgrade: bool) -> None:
        name = f"{deployment.agent} v{deployment.version}"
        self._building.add(deployment.id)
        try:
            async with BuildLog(self._store, self._bus, deployment.id) as build_log:
                try:
                    await self._build_logged(deployment, upload, upgrade, build_log)
                except AoError as error:
                    build_log.write(f"failed: {error.message}")
                    if error.hint:
                        build_log.write(f"hint: {error.hint}")
                    await build_log.flush()
                    log.warning("build failed", deployment=name, error=error.message)
                    await self._fail(deployment, error.message)
        except asyncio.CancelledError:
            await self._fail(deployment, STOPPED)
            raise
        except Exception:
            log.exception("build crashed", deployment=name)
            await self._fail(deployment, "internal error; see the server's log")
        finally:
            self._building.discard(deployment.id)
            self._bus.publish(build_topic(deployment.id))
            await self._builder.discard(upload)

    async def _fail(self, deployment: Deployment, message: str) -> None:
        """Write the end of a build, as soon as the store takes it."""
        while True:
            try:
                await self._store.deployments.fail(deployment.id, message)
            except Conflict:
                return  # it had come to its end already
            except Unavailable as error:
                log.warning("end of build not written yet", deployment=deployment.id, error=error.message)
                if self._closing:
                    return  # `recover` writes it at the next start
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    async def _build_logged(
        self, deployment: Deployment, upload: Upload, upgrade: bool, build_log: BuildLog
    ) -> None:
        earlier = await self._store.deployments.list(deployment.agent, deployment.version, REUSABLE_RELEASES)
        previous = [entry.release for entry in earlier if entry.release is not None]
        await self._warn_of_missing_secrets(upload.config, build_log)
        release = await self._builder.build(BuildRequest(upload, previous, upgrade), build_log.write)
        schedule = declared(upload.config, await self._store.schedules.now_us())
        await build_log.flush()
        with self._catalog.moving():
            await self._store.deployments.succeed(deployment.id, release, schedule)
        self._tell_pointer_moved()
        log.info("deployed", deployment=f"{deployment.agent} v{deployment.version}", digest=release.digest)

    def _tell_pointer_moved(self) -> None:
        for topic in (SCHEDULES, POINTERS, READY):  # runs may have waited for it
            self._bus.publish(topic)

    async def _warn_of_missing_secrets(self, config: AgentConfig, build_log: BuildLog) -> None:
        found = await self._store.secrets.resolve(config.name, config.secrets)
        for name in config.secrets:
            if name not in found:
                build_log.write(
                    f"warning: secret {name} is not set; runs fail until"
                    f" `ao secrets set {name} --agent {config.name}`"
                )

    async def recover(self) -> None:
        """The builds that are in progress have nobody who makes them: they are failed; nothing that is live
        changes."""
        for deployment in await self._store.deployments.building():
            await self._store.deployments.fail(deployment.id, STOPPED)

    async def watch_forever(self) -> None:
        """Keep the leases of the builds of this process, and fail those whose server has gone."""
        trusted_from = time.monotonic()
        while True:
            try:
                await self._store.deployments.renew([*self._building], LEASE_US)
                if time.monotonic() >= trusted_from:
                    await self._fail_abandoned()
            except Unavailable as error:
                # Others cannot renew theirs either: they have their time again when the store is back.
                trusted_from = time.monotonic() + LEASE_US / 1e6
                log.warning("builds not looked after now", error=error.message)
            await asyncio.sleep(RENEW_SECONDS * random.uniform(0.8, 1.0))  # noqa: S311 - spreads replicas

    async def _fail_abandoned(self) -> None:
        for deployment in await self._store.deployments.abandoned():
            log.warning("build lost its server", deployment=deployment.id)
            await self._fail(deployment, STOPPED)
            self._bus.publish(build_topic(deployment.id))

    async def close(self) -> None:
        """Stop builds in progress."""
        self._closing = True
        await asyncio.sleep(0)  # a build that was never begun would not see that it is cancelled
        builds = list(self._builds)
        for task in builds:
            task.cancel()
        await asyncio.gather(*builds, return_exceptions=True)

    async def get(self, agent: str, version: int) -> Deployment:
        return await self._store.deployments.get(agent, version)

    async def get_by_id(self, deployment_id: DeploymentId) -> Deployment:
        return await self._store.deployments.get_by_id(deployment_id)

    async def list(self, agent: str, before: int | None, limit: int) -> Sequence[Deployment]:
        await self._store.agents.get(agent)
        return await self._store.deployments.list(agent, before, limit)

    async def log(
        self, deployment_id: DeploymentId, after_seq: int, limit: int
    ) -> Sequence[tuple[int, int, str]]:
        """(seq, at_us, text) of build log lines above `after_seq`."""
        return await self._store.deployments.log(deployment_id, after_seq, limit)

    async def diff(self, agent: str, before: int, after: int) -> Sequence[PartDiff]:
        """What changed from one version to another, part by part."""
        first, second = [await self._built(agent, version) for version in (before, after)]
        return await self._builder.diff(first, second)

    async def rollback(self, agent: str, to: int | None, reason: str, actor: str) -> PointerMove:
        """Point `stable` at an earlier version (None: `last_good`): no build, no download."""
        if to is None:
            to = await self._last_good(agent)
        target = await self._store.deployments.get(agent, to)
        if target.release is None:
            raise Conflict(
                f"{agent} v{to} is {target.status}; only a succeeded version can be live",
                hint=f"`ao deployments {agent}` lists versions",
            )
        await self._builder.code_dir(target.release.digest)
        await self._builder.env_dir(target.release.digest, target.release.env_key, _recipe_of(target.release))
        config = AgentConfig.model_validate_json(target.release.config)
        schedule = declared(config, await self._store.schedules.now_us())
        entry = audit.entry(actor, "agent.rollback", f"agent:{agent}", agent, to=to, reason=reason)
        with self._catalog.moving():
            move = await self._store.agents.move_pointer(
                agent, DEFAULT_ENVIRONMENT, to, reason, actor, schedule, entry
            )
        self._tell_pointer_moved()
        log.warning("rolled back", agent=agent, frm=move.frm, to=move.to, actor=actor, reason=reason)
        return move

    async def _last_good(self, agent: str) -> int:
        found = await self._store.agents.get(agent)
        if found.last_good is None or found.last_good == found.stable:
            why = (
                f"v{found.stable} is live and the last good version" if found.last_good else "no other was live"
            )
            raise Conflict(
                f"{agent} has no version to go back to: {why}",
                hint=f"name one: `ao rollback {agent} --to VERSION`; `ao deployments {agent}` lists them",
            )
        return found.last_good

    async def agents(self) -> Sequence[Agent]:
        return await self._store.agents.list()

    async def agent(self, name: str) -> Agent:
        return await self._store.agents.get(name)

    async def history(self, agent: str, limit: int = 100) -> Sequence[PointerMove]:
        await self._store.agents.get(agent)
        return await self._store.agents.history(agent, limit)

    async def gc(self, dry_run: bool, actor: str) -> Collected:
        """Remove environments, unpacked releases and blobs that nothing refers to."""
        noted = dry_run or await self._note_gc(actor)
        since = await building_since(self._store)
        environments, digests = await self._store.deployments.in_use()
        collected = await self._builder.collect(environments, digests, dry_run, since)
        if not noted:
            await self._store.audit.append(audit.entry(actor, "server.gc", "server", ""))
        if not dry_run:
            await self._store.processes.ask_to_tidy()
        return collected

    async def _note_gc(self, actor: str) -> bool:
        """Before: what is removed is outside of the store, and nobody may remove unseen. On a full disk after:
        this is what makes the room."""
        try:
            await self._store.audit.append(audit.entry(actor, "server.gc", "server", ""))
        except StorageFull as error:
            log.warning("garbage is collected before its audit entry", actor=actor, error=str(error))
            return False
        return True

    async def _built(self, agent: str, version: int) -> Digest:
        deployment = await self._store.deployments.get(agent, version)
        if deployment.release is None or deployment.status is not DeploymentStatus.SUCCEEDED:
            raise Conflict(
                f"{agent} v{version} is {deployment.status}; it has no release to compare",
                hint=f"`ao deployments {agent}` lists versions",
            )
        return deployment.release.digest


async def building_since(store: Store) -> float | None:
    """When the oldest build in progress began, in seconds of the epoch; also on other servers."""
    return min((each.created_us / 1e6 for each in await store.deployments.building()), default=None)


async def tidy_home(store: Store, builder: Builder) -> Collected:
    """Remove environments and unpacked releases of this machine that nothing refers to."""
    since = await building_since(store)
    environments, digests = await store.deployments.in_use()
    return await builder.tidy(environments, digests, since)


async def tidy_workplace(store: Store, builder: Builder, executor: Executor) -> Collected:
    """Of a machine that only executes runs: what is neither live nor used by a run goes, too. It is made again
    from what is kept when a run needs it."""
    since = await building_since(store)
    environments, digests = await store.deployments.at_work()
    collected = await builder.tidy(environments, digests, since)
    if collected.releases or collected.environments:
        await executor.cool()  # a template may stand on what was there
    return collected


def _recipe_of(release: BuiltRelease) -> Recall:
    async def recipe() -> str | None:
        return release.recipe

    return recipe
