"""Images of agents that bring a Dockerfile: the engine builds each once, whoever asks at the same time."""

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from ao.domain.errors import SandboxError
from ao.logs import get_logger
from ao.sandbox import SandboxSpec
from ao.sandbox.docker.context import Context, context_of
from ao.sandbox.docker.engine import Engine, NameTaken, NoSuchThing
from ao.sandbox.docker.said import Said

log = get_logger(__name__)

REPOSITORY = "ao-agent"
LABEL = "ao.dockerfile"
OFF = "off"
BUILD_SECONDS = 1800.0
_MEMORY_BYTES = 4 << 30
_LINES_OF_ERROR = 40

Told = Callable[[str], None]


@dataclass(slots=True)
class _Build:
    """One that is going on, and who listens."""

    task: asyncio.Task[None]
    lines: list[str] = field(default_factory=list)
    listeners: list[Told] = field(default_factory=list)

    def tell(self, line: str) -> None:
        self.lines.append(line)
        for listener in self.listeners:
            listener(line)


class Dockerfiles:
    """An image is named after the digest of what it is made of (`ao-agent:DIGEST`). A file in `kept` for each
    release that uses one says when it may go."""

    def __init__(self, engine: Engine, network: str, kept: Path) -> None:
        """`network`: the engine's for builds, or `OFF`."""
        self._engine = engine
        self._network = network
        self._kept = kept
        self._building: dict[str, _Build] = {}

    async def name_for(self, spec: SandboxSpec) -> str:
        """Of the image, whether it is there or not."""
        return _name(await asyncio.to_thread(_context, spec.code_dir, _file(spec)))

    async def provide(self, spec: SandboxSpec, told: Told) -> None:
        """Return when the engine has the image. `told` gets the lines of the build, also of one that somebody
        else has begun. Raises `SandboxError` when it does not build."""
        context = await asyncio.to_thread(_context, spec.code_dir, _file(spec))
        name = _name(context)
        await asyncio.to_thread(self._remember, context, spec.code_dir)
        if await self._is_there(name):
            return
        build = self._building.get(name)
        if build is None:
            build = self._begin(name, context, _file(spec))
        else:
            told(f"the image of {_file(spec)} is being built already")
            for line in build.lines:
                told(line)
        build.listeners.append(told)
        try:
            await asyncio.shield(build.task)
        finally:
            build.listeners.remove(told)
            if not build.listeners and not build.task.done():  # nobody wants it any more
                build.task.cancel()
                await asyncio.wait({build.task})

    async def forget_unused(self) -> None:
        """Remove images of which no release is left on this machine."""
        for digest in await asyncio.to_thread(self._unused):
            try:
                await self._engine.remove_image(f"{REPOSITORY}:{digest}")
            except NameTaken as error:  # a container has it: the next time
                log.info("an image of a Dockerfile is still in use", image=digest, reason=error.message)
                continue
            await asyncio.to_thread(shutil.rmtree, self._kept / digest)

    async def _is_there(self, name: str) -> bool:
        try:
            await self._engine.image(name)
        except NoSuchThing:
            return False
        return True

    def _begin(self, name: str, context: Context, file: str) -> _Build:
        if self._network == OFF:
            raise SandboxError(
                f"this worker builds no images, and {file} was not built",
                hint="AO_DOCKER_BUILD names the engine's network for builds; or name a finished `image` "
                "under [sandbox] of ao.toml",
            )
        task = asyncio.create_task(self._build(name, context, file), name=f"image {name}")
        task.add_done_callback(lambda _: self._building.pop(name, None))
        self._building[name] = build = _Build(task)
        return build

    async def _build(self, name: str, context: Context, file: str) -> None:
        build = self._building[name]
        build.tell(f"building the image of {file}")
        said = Said(build.tell)
        options = {
            "t": name,
            "dockerfile": context.dockerfile,
            "networkmode": self._network,
            "labels": f'{{"{LABEL}": "1"}}',
            "memory": str(_MEMORY_BYTES),
            "memswap": str(_MEMORY_BYTES),
            "rm": "1",
            "forcerm": "1",
        }
        try:
            async with asyncio.timeout(BUILD_SECONDS):
                async for message in self._engine.build(options, context.archive):
                    said.take(message)
        except TimeoutError as error:
            raise _failed(
                file, f"it was stopped after {BUILD_SECONDS / 60:.0f} minutes", build.lines
            ) from error
        said.end()
        if said.error is not None:
            raise _failed(file, said.error, build.lines)
        build.tell(f"built the image of {file}: {name}")

    def _remember(self, context: Context, code_dir: Path) -> None:
        note = self._kept / context.digest / code_dir.name
        if not note.exists():
            note.parent.mkdir(parents=True, exist_ok=True)
            note.write_text(str(code_dir))

    def _unused(self) -> list[str]:
        made = self._kept.iterdir() if self._kept.is_dir() else ()
        return [each.name for each in made if not any(map(_is_there, each.iterdir()))]


def _is_there(note: Path) -> bool:
    """The release that it was made for."""
    return Path(note.read_text()).is_dir()


def _file(spec: SandboxSpec) -> str:
    assert spec.dockerfile is not None
    return spec.dockerfile


def _name(context: Context) -> str:
    return f"{REPOSITORY}:{context.digest}"


def _failed(file: str, why: str, lines: list[str]) -> SandboxError:
    said = [line for line in lines[1:] if not line.startswith((" --->", "Step ", "Removing intermediate"))]
    last = f" ({said[-1].strip()})" if said else ""
    return SandboxError(
        f"{file} does not build: {why}{last}",
        hint="the log has the whole build; `docker build` on the directory of the Dockerfile repeats it",
        details={"output": lines[-_LINES_OF_ERROR:]},
    )


@lru_cache(maxsize=256)
def _context(code_dir: Path, dockerfile: str) -> Context:
    """Releases never change."""
    return context_of(code_dir, dockerfile)
