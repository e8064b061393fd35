"""Builds on this host, into directories of AO's home."""

import asyncio
import os
import tempfile
import time
from collections import OrderedDict
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import ao.project.config
from ao.blobs import BlobStore
from ao.build import BuildRequest, Collected, Log, Recall, Upload, deriving, host, layers
from ao.build.bytecode import WAIT_SECONDS, Compiling
from ao.build.collecting import Swept, sweep
from ao.build.dependencies import Dependencies
from ao.build.diff import PartContent, config_diff, part_diff, text_of
from ao.build.disk import refusals_told
from ao.build.environments import Environments
from ao.build.locks import Locks
from ao.build.pythons import Pythons
from ao.build.releases import Like, Releases, remove_tree
from ao.build.sources import SourceBuilds
from ao.build.upload import unpack
from ao.domain import artifact
from ao.domain.agent_config import AgentConfig
from ao.domain.artifact import Blob, Manifest, Part
from ao.domain.assistant import OtherPrompt
from ao.domain.errors import BuildFailed, InternalError, SandboxError
from ao.ids import Digest
from ao.project.archive import Entry
from ao.project.packing import DEFAULT_LIMITS, Limits
from ao.sandbox import Entrypoint, Executor, SandboxSpec
from ao.store.records import INLINE_BYTES, BuiltRelease
from ao.wire.schemas import PartDiff

ABANDONED_SECONDS = 86_400.0
"""After so long, work that a killed process left behind is removed."""
REMEMBERED_BASES = 256
A = TypeVar("A")
B = TypeVar("B")


class LocalBuilder:
    """`Builder` that keeps releases, environments and unpacked uploads under `home`."""

    def __init__(
        self,
        home: Path,
        blobs: BlobStore,
        *,
        environ: Mapping[str, str],
        limits: Limits = DEFAULT_LIMITS,
        grace_seconds: float = 600.0,
        executor: Executor | None = None,
    ) -> None:
        """`environ` is what pip and uv get to see: the host's proxies, certificates and pip settings.
        `executor` isolates builds from source; without one they are refused.
        `grace_seconds`: what was used so recently is not collected, whoever may need it."""
        self._blobs = blobs
        self._executor = executor
        self._limits = limits
        self._home = home
        self._work = home / "work"
        self._work.mkdir(parents=True, exist_ok=True)
        self._environ = environ
        self._grace_seconds = grace_seconds
        self._in_progress: dict[str, float] = {}
        """Unpacked uploads that were not discarded yet, and when they began."""
        self._bases: OrderedDict[Digest, Digest] = OrderedDict()
        """Of what each release was derived."""
        self._collecting = asyncio.Lock()
        self._pythons = Pythons()
        self._compiling = Compiling(self._work, environ)
        self._releases = Releases(home / "releases")
        self._environments = Environments(
            home / "envs", home / "wheels", self._work, blobs, self._pythons, environ
        )
        locks = Locks(self._work, blobs, environ, SourceBuilds(executor, environ))
        self._dependencies = Dependencies(locks, self._environments, blobs)

    async def receive(self, archive: Path, digest: Digest) -> Upload:
        async with self._collecting:
            with refusals_told(self._home):
                directory = Path(tempfile.mkdtemp(dir=self._work, prefix="upload-"))
            self._in_progress[directory.name] = time.time()
        try:
            with refusals_told(self._home):
                return await asyncio.to_thread(self._receive, archive, digest, directory)
        except BaseException:
            await self._remove(directory)
            raise

    def _receive(self, archive: Path, digest: Digest, directory: Path) -> Upload:
        unpack(archive, digest, directory, self._limits)
        return Upload(directory, digest, ao.project.config.load(directory))

    async def build(self, request: BuildRequest, log: Log) -> BuiltRelease:
        with refusals_told(self._home):
            return await self._build(request, log)

    async def _build(self, request: BuildRequest, log: Log) -> BuiltRelease:
        config = request.upload.config
        await host.check(config.build, self._environ, log)
        python = await asyncio.to_thread(self._pythons.find, config.build.python or config.python)
        log(f"Python {python.version}")
        prepared = await self._dependencies.prepare(request, python, log)
        environment, (digest, manifest) = await _both(
            self._environments.make(prepared.recipe, log), self._keep_artifact(request.upload, prepared.lock)
        )
        log(f"Environment {environment.name[:12]}, release {digest[7:19]}")
        code = await self.code_dir(digest)
        await self._provide(config, code, environment, log)
        await self._compiling.wait([digest], WAIT_SECONDS)
        await self._blobs.publish(digest, f"{config.name}-{digest[7:19]}")
        return BuiltRelease(
            digest=digest,
            config=artifact.config_blob(config).decode(),
            env_key=prepared.recipe.key,
            lock_digest=prepared.recipe.lock,
            requirements_hash=prepared.requirements_hash,
            parts=manifest.parts_json(),
            recipe=prepared.recipe.to_json(),
        )

    async def _provide(self, config: AgentConfig, code: Path, environment: Path, log: Log) -> None:
        """Have the image of its Dockerfile, where this very process executes runs in containers: what does not
        build is not live. Elsewhere each worker builds it before the first run."""
        if config.sandbox.dockerfile is None or self._executor is None:
            return
        spec = SandboxSpec(
            id=f"build-{environment.name[:12]}",
            code_dir=code,
            env_dir=environment,
            python=environment / "bin" / "python",
            entrypoint=Entrypoint("command"),
            input_json="null",
            dockerfile=config.sandbox.dockerfile,
        )
        try:
            await self._executor.provide(spec, log)
        except SandboxError as error:
            raise BuildFailed(error.message, hint=error.hint, details=error.details) from error

    async def _keep_artifact(self, upload: Upload, lock: bytes | None) -> tuple[Digest, Manifest]:
        files = await asyncio.to_thread(layers.split, upload.directory, upload.config)
        extras = layers.extras(upload.config)
        parts: dict[Part, Blob] = {}
        for part in Part:
            entries = files.get(part, [])
            if entries or part in extras:
                path, blob = await asyncio.to_thread(
                    layers.write, upload.directory, entries, extras.get(part), self._work
                )
                await self._blobs.put_file(path)
                parts[part] = blob
        if lock is not None:
            parts[Part.LOCK] = Blob.of(lock)
            await self._blobs.put(lock)
        config = artifact.config_blob(upload.config)
        await self._blobs.put(config)
        manifest = Manifest(Blob.of(config), parts)
        return await self._blobs.put(manifest.to_bytes()), manifest

    async def derive(
        self, base: Digest, config: AgentConfig, prompts: Mapping[str, str | OtherPrompt]
    ) -> Digest:
        with refusals_told(self._home):
            digest = await deriving.derive(self._blobs, await self._manifest(base), config, prompts)
        self._bases[digest] = base
        if len(self._bases) > REMEMBERED_BASES:
            self._bases.popitem(last=False)
        return digest

    async def discard(self, upload: Upload) -> None:
        await self._remove(upload.directory)

    async def _remove(self, directory: Path) -> None:
        await asyncio.to_thread(remove_tree, directory)
        self._in_progress.pop(directory.name, None)

    async def code_dir(self, digest: Digest) -> Path:
        with refusals_told(self._home):
            return await self._code_dir(digest)

    async def _code_dir(self, digest: Digest) -> Path:
        path = self._releases.path(digest)
        is_new = not path.is_dir()
        if not is_new:
            os.utime(path)  # it is in use
        if not is_new and not self._compiling.is_needed(digest, path):
            return path
        manifest = await self._manifest(digest)
        config = AgentConfig.model_validate_json(await self._blobs.get(manifest.config.digest))
        if is_new:
            await self._unpack(digest, manifest)
        python = await asyncio.to_thread(self._pythons.find, config.build.python or config.python)
        self._compiling.begin(digest, path, python.executable)
        return path

    async def _unpack(self, digest: Digest, manifest: Manifest) -> None:
        parts, like = await self._unlike(digest, manifest)
        with tempfile.TemporaryDirectory(dir=self._work, prefix="layers-") as name:
            saved: list[Path] = []
            for part, blob in parts.items():
                if part is not Part.LOCK:
                    saved.append(Path(name) / part.value)
                    await self._blobs.save(blob.digest, saved[-1])
            lock = parts.get(Part.LOCK)
            content = await self._blobs.get(lock.digest) if lock else None
            await asyncio.to_thread(self._releases.make, digest, saved, content, like)

    async def _unlike(self, digest: Digest, manifest: Manifest) -> tuple[Mapping[Part, Blob], Like | None]:
        """The parts to be unpacked, and what the release shares with the one that it was derived of."""
        base = self._bases.get(digest)
        if base is None or base == digest or not self._releases.path(base).is_dir():
            return manifest.parts, None
        other = (await self._manifest(base)).parts
        changed = {part: blob for part, blob in manifest.parts.items() if other.get(part) != blob}
        replaced = [await self._part(await self._manifest(base), part) for part in changed]
        return changed, Like(base, {name for content in replaced if content for name in content.files})

    async def settle(self) -> None:
        """Wait for what goes on beside deploys: compiling."""
        await self._compiling.wait()

    async def env_dir(self, release_digest: Digest, env_key: str, recipe: Recall | None = None) -> Path:
        with refusals_told(self._home):
            return await self._environments.restore(env_key, recipe)

    async def diff(self, before: Digest, after: Digest) -> Sequence[PartDiff]:
        old, new = await self._manifest(before), await self._manifest(after)
        parts: list[PartDiff] = []
        for part in Part:
            content = [await self._part(old, part), await self._part(new, part)]
            if content != [None, None]:
                parts.append(await asyncio.to_thread(part_diff, part, *content))
        configs = [await self._blobs.get(manifest.config.digest) for manifest in (old, new)]
        return [*parts, await asyncio.to_thread(config_diff, *configs)]

    async def code(self, digest: Digest) -> Mapping[str, str]:
        content = await self._part(await self._manifest(digest), Part.CODE)
        texts = {path: text_of(path, file) for path, file in (content.files if content else {}).items()}
        return {path: text for path, text in texts.items() if text is not None}

    async def _manifest(self, digest: Digest) -> Manifest:
        return Manifest.from_bytes(await self._blobs.get(digest))

    async def _part(self, manifest: Manifest, part: Part) -> PartContent | None:
        blob = manifest.parts.get(part)
        if blob is None:
            return None
        content = await self._blobs.get(blob.digest)
        if part is Part.LOCK:
            return PartContent(blob.digest, {artifact.LOCK_FILE: (Entry(artifact.LOCK_FILE), content)})
        return PartContent(blob.digest, await asyncio.to_thread(layers.files, content))

    async def collect(
        self,
        keep_environments: Sequence[str],
        keep_digests: Sequence[Digest],
        dry_run: bool,
        building_since: float | None = None,
    ) -> Collected:
        await self.settle()
        async with self._collecting:
            idle = self._idle_seconds(building_since)
            return await self._collect(keep_environments, keep_digests, dry_run, idle)

    async def _collect(
        self, keep_environments: Sequence[str], keep_digests: Sequence[Digest], dry_run: bool, idle: float
    ) -> Collected:
        blobs = await self._mark(keep_environments, keep_digests)
        unused = {d: size for d, size in (await self._blobs.all(idle)).items() if d not in blobs}
        environments, releases = await self._sweep_home(keep_environments, keep_digests, idle, dry_run)
        freed = sum(unused.values()) if dry_run else await self._blobs.delete(unused)
        return Collected(
            environments=environments.count,
            releases=releases.count,
            blobs=len(unused),
            freed_bytes=freed + environments.freed_bytes + releases.freed_bytes,
        )

    async def tidy(
        self,
        keep_environments: Sequence[str],
        keep_digests: Sequence[Digest],
        building_since: float | None = None,
    ) -> Collected:
        await self.settle()
        async with self._collecting:
            idle = self._idle_seconds(building_since)
            environments, releases = await self._sweep_home(keep_environments, keep_digests, idle, False)
        freed = environments.freed_bytes + releases.freed_bytes
        return Collected(environments.count, releases.count, blobs=0, freed_bytes=freed)

    async def _sweep_home(
        self, keep_environments: Sequence[str], keep_digests: Sequence[Digest], idle: float, dry_run: bool
    ) -> tuple[Swept, Swept]:
        """Environments and unpacked releases, and what builds have left."""
        keep, keep_releases = (
            set(keep_environments),
            {digest.removeprefix("sha256:") for digest in keep_digests},
        )
        environments = await asyncio.to_thread(sweep, self._environments.root, keep, idle, dry_run)
        releases = await asyncio.to_thread(sweep, self._releases.root, keep_releases, idle, dry_run)
        if not dry_run:
            await asyncio.to_thread(self._environments.forget, keep, idle)
            await asyncio.to_thread(sweep, self._work, set(self._in_progress), ABANDONED_SECONDS, False)
            if self._executor is not None:
                await self._executor.tidy()
        return environments, releases

    def _idle_seconds(self, building_since: float | None) -> float:
        """What was used since the oldest build in progress began may be needed by it: it does not count as
        idle."""
        begun = [*self._in_progress.values(), *([] if building_since is None else [building_since])]
        return self._grace_seconds + max(0.0, time.time() - min(begun)) if begun else self._grace_seconds

    async def _mark(self, environments: Sequence[str], digests: Sequence[Digest]) -> set[Digest]:
        """Every blob that a kept release or environment needs."""
        marked = set(digests)
        sizes = await self._blobs.all()
        for digest in digests:
            if sizes.get(digest, INLINE_BYTES) < INLINE_BYTES:  # else the payload of a run
                content = await self._blobs.get(digest)
                if Manifest.is_one(content):
                    with suppress(InternalError):  # an agent's file may begin as a manifest does
                        marked.update(Manifest.from_bytes(content).blobs())
        for key in environments:
            recipe = self._environments.recipe(key)
            if recipe is not None:
                marked.update((recipe.wheels or {}).values())
                marked.update([recipe.lock] if recipe.lock else [])
        return marked


async def _both(first: Coroutine[None, None, A], second: Coroutine[None, None, B]) -> tuple[A, B]:
    """Both at once; when one fails the other is cancelled, and the error is that of the one that failed."""
    try:
        async with asyncio.TaskGroup() as group:
            one, two = group.create_task(first), group.create_task(second)
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return one.result(), two.result()
