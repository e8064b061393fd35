"""From what is installed here to an image with tags."""

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ao.build import Log
from ao.image import base as bases
from ao.image import own, wheels
from ao.image.agent import Agent
from ao.image.base import Base
from ao.image.docker import Docker
from ao.image.dockerfile import DEFAULT_BASE, dockerfile
from ao.image.reference import Reference


@dataclass(frozen=True, slots=True)
class Order:
    """What image is wanted."""

    names: Sequence[str] = ()
    """Empty: `ao`, or the agent's name."""
    base: str = DEFAULT_BASE
    project: Path | None = None
    """Of an agent that the image brings along."""
    cache: bool = True


@dataclass(frozen=True, slots=True)
class Built:
    tags: Sequence[str]
    """Each name with its tag and with the tag of the content."""
    id: str
    content: str
    """`sha256:…` of everything that the image is made of: equal when nothing differs."""
    base: str
    python: str
    size_bytes: int
    was_there: bool
    """Nothing had to be built."""


async def build(order: Order, environ: Mapping[str, str], log: Log) -> Built:
    """Raises `UsageError`, `Unavailable`, `BuildFailed`; of a project `InvalidConfig`, `InvalidInput`."""
    agent = None if order.project is None else Agent(order.project)
    names = order.names or ["ao" if agent is None else agent.name]
    references = [Reference.parse(name, default_tag=own.version()) for name in names]
    docker = Docker(environ)
    await docker.check()
    base = await bases.find(order.base, docker, log)
    log(f"base {base.name}: Python {base.python.version} on {base.machine}, glibc 2.{base.glibc}")
    if agent is not None:
        await agent.check(base, docker)
    with tempfile.TemporaryDirectory(prefix="ao-image-") as name:
        context = Context(Path(name), base, agent, environ, log)
        await context.begin()
        short = f"{own.version()}-{context.short}"
        tags = list(dict.fromkeys(tag for ref in references for tag in (str(ref), ref.with_tag(short))))
        found = await docker.image_id(references[0].with_tag(short)) if order.cache else None
        if found is None:
            await context.fill()
            log(f"building {references[0].with_tag(short)}")
            await docker.build(context.root, tags, log, cache=order.cache)
        for tag in tags if found is not None else ():
            await docker.tag(references[0].with_tag(short), tag)
    made, size = await docker.inspect(tags[0])
    return Built(tags, made, context.digest, base.name, base.python.version, size, found is not None)


class Context:
    """The directory that Docker gets. AO's own part of its digest is known before anything is downloaded: the
    lock names the content of every wheel."""

    def __init__(
        self, root: Path, base: Base, agent: Agent | None, environ: Mapping[str, str], log: Log
    ) -> None:
        self.root = root
        self._base = base
        self._agent = agent
        self._environ = environ
        self._log = log
        self._wheel = own.wheel()
        self._lock = wheels.LOCK.read_bytes()
        self.digest = ""

    @property
    def short(self) -> str:
        return self.digest.removeprefix("sha256:")[:12]

    async def begin(self) -> None:
        """What the digest needs."""
        text = dockerfile(own.file_name(), agent=self._agent is not None)
        parts = [text.encode(), self._lock, self._wheel, self._base.id.encode()]
        if self._agent is not None:
            parts.append((await self._agent.fill(self.root, self._base, self._environ, self._log)).encode())
        whole = "".join(hashlib.sha256(part).hexdigest() for part in parts)
        self.digest = "sha256:" + hashlib.sha256(whole.encode()).hexdigest()

    async def fill(self) -> None:
        files = self.root / "build"
        files.mkdir()
        self._log(f"collecting the packages of AO {own.version()} for Python {self._base.python.minor}")
        await wheels.download_own(self._base, files / "wheels", self._environ, self._log)
        wheels.unpack_uv(files / "wheels", files / "uv")
        (files / "requirements.lock").write_bytes(self._lock)
        (files / own.file_name()).write_bytes(self._wheel)
        text = dockerfile(own.file_name(), self._base.name, self._labels(), agent=self._agent is not None)
        (self.root / "Dockerfile").write_text(text, "utf-8")

    def _labels(self) -> dict[str, str]:
        """Those of the OCI image specification, and the content."""
        oci = {
            "title": "AO" if self._agent is None else self._agent.name,
            "version": own.version(),
            "base.name": self._base.name,
        }
        if self._agent is None:
            oci["description"] = "Releases, runs and watches AI agents in production"
            oci["licenses"] = "Apache-2.0"
        return {
            **{f"org.opencontainers.image.{k}": v for k, v in oci.items()},
            "ao.content": self.digest,
            "ao.base": self._base.id,
        }
