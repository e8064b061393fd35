"""An agent that an image brings along: the files of its project, and the wheels of its requirements."""

import hashlib
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from ao.blobs.local import LocalBlobs
from ao.build import Log, requirements
from ao.build.locks import Locks
from ao.build.pythons import Pythons
from ao.build.requirements import Wanted
from ao.build.sources import SourceBuilds
from ao.domain.agent_config import AgentConfig
from ao.domain.errors import BuildFailed
from ao.image import wheels
from ao.image.base import Base
from ao.image.docker import Docker
from ao.project import config, packing
from ao.project.archive import Kind

_HAS = "{{ dpkg-query -W {name} || rpm -q {name} || command -v {name}; }} >/dev/null 2>&1 || echo {name}"
"""As for a deploy: a package of the system, or a program."""


class Agent:
    """Raises `InvalidConfig` and `InvalidInput` for a project that cannot be deployed either."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._config: AgentConfig = config.load(self._root)
        self._selection = packing.select(self._root)

    @property
    def name(self) -> str:
        return self._config.name

    async def check(self, base: Base, docker: Docker) -> None:
        """Whether the base has what the project asks of its host. Raises `BuildFailed`."""
        self._check_python(base)
        build = self._config.build
        wanted = [*build.system, *(["node"] if build.node is not None else [])]
        tests = (_HAS.format(name=shlex.quote(name)) for name in wanted)
        said = await docker.shell_says(base.name, "\n".join([*tests, "exit 0"])) if wanted else ()
        missing = [name for name in wanted if name in said]
        if missing:
            raise BuildFailed(
                f"{base.name} does not have {', '.join(missing)}, which [build] of {self.name} asks for",
                hint="--base names an image that has them, such as one made FROM it with an `apt-get install`",
            )

    async def fill(self, context: Path, base: Base, environ: Mapping[str, str], log: Log) -> str:
        """Write `agent` and `agent-wheels`; the digest of both."""
        digest = hashlib.sha256()
        for warning in (*self._selection.warnings, *self._own_image()):
            log(warning)
        for chunk in packing.stream(self._root, self._selection.entries):
            digest.update(chunk)
        self._copy(context / "agent")
        collected = context / "agent-wheels"
        wanted = await self._wanted(environ)
        if wanted is None:
            collected.mkdir()
        else:
            self._check_markers(base)
            log(f"collecting the packages of {wanted.source} for Python {base.python.minor}")
            await self._download(wanted, base, collected, environ, log)
        for wheel in sorted(collected.iterdir()):
            digest.update(wheel.name.encode() + hashlib.sha256(wheel.read_bytes()).digest())
        return digest.hexdigest()

    def _own_image(self) -> Iterator[str]:
        """What is not used: in a container of this image, runs are processes."""
        sandbox = self._config.sandbox
        for name, value in (("dockerfile", sandbox.dockerfile), ("image", sandbox.image)):
            if value is not None:
                yield f"warning: [sandbox] {name} is not used in this image; what it brings has to be in --base"

    def _copy(self, target: Path) -> None:
        target.mkdir()
        for entry in self._selection.entries:
            file = target / entry.path
            file.parent.mkdir(parents=True, exist_ok=True)
            if entry.kind is Kind.LINK:
                file.symlink_to(entry.target)
            else:
                shutil.copyfile(self._root / entry.path, file)
                file.chmod(0o755 if entry.executable else 0o644)

    async def _wanted(self, environ: Mapping[str, str]) -> Wanted | None:
        file = requirements.find(self._config, self._root)
        if file is None:
            return None
        if self._config.build.source:
            raise BuildFailed(
                "[build] source is for servers: an image takes wheels only",
                hint="build those that have none with `pip wheel`, and name that directory by find-links",
            )
        with tempfile.TemporaryDirectory(prefix="ao-requirements-") as name:
            own = Locks(Path(name), LocalBlobs(Path(name, "blobs")), environ, SourceBuilds(None, environ))
            wanted = await own.wanted(file, self._root, Pythons().find(None), source=False)
        return wanted if any(not line.startswith("-") for line in wanted.lines) else None

    def _check_python(self, base: Base) -> None:
        wanted = self._config.python or self._config.build.python
        if wanted is not None and not f"{base.python.version}.".startswith(f"{wanted}."):
            raise BuildFailed(
                f"{self.name} names Python {wanted}, and {base.name} has {base.python.version}",
                hint=f"--base names an image with Python {wanted}",
            )

    def _check_markers(self, base: Base) -> None:
        """pip reads the markers of requirements for the Python that it runs on."""
        own = "{}.{}".format(*sys.version_info[:2])
        if base.python.minor != own:
            raise BuildFailed(
                f"{self.name} has requirements, which Python {own} reads; {base.name} has {base.python.minor}",
                hint=f"use a base with Python {own}, or run `ao` with Python {base.python.minor}",
            )

    async def _download(
        self, wanted: Wanted, base: Base, into: Path, environ: Mapping[str, str], log: Log
    ) -> None:
        # In a copy of the project: paths in requirements are relative to it.
        file = into.parent / "agent" / ".ao-requirements.txt"
        file.write_text(wanted.text, "utf-8")
        options = ["--require-hashes"] if wanted.is_lock else []
        options += ["--no-deps"] if wanted.is_complete else []
        try:
            await wheels.download(file, base, into, environ, log, *options)
        finally:
            file.unlink()
