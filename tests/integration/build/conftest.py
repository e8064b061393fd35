"""A real builder in a temporary home, and an index of tiny wheels beside it: no network."""

import asyncio
import io
import os
import shutil
import stat
import tarfile
import zipfile
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest

from ao.blobs.local import LocalBlobs
from ao.build import BuildRequest, Upload
from ao.build.local import LocalBuilder
from ao.domain.errors import SandboxError
from ao.project.packing import pack
from ao.sandbox import Executor, Level
from ao.sandbox.process import ProcessExecutor
from ao.store.records import BuiltRelease


@dataclass
class Wheelhouse:
    """A directory of wheels, made by hand so that they are small."""

    directory: Path

    def add(
        self,
        name: str,
        version: str,
        requires: Sequence[str] = (),
        more: Mapping[str, str] | None = None,
        links: Mapping[str, str] | None = None,
        scripts: Mapping[str, str] | None = None,
        recorded: Sequence[str] = (),
    ) -> Path:
        path = self.directory / f"{name}-{version}-py3-none-any.whl"
        info = f"{name}-{version}.dist-info"
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        metadata += "".join(f"Requires-Dist: {item}\n" for item in requires)
        tools = scripts or {f"{name}-tool": f"{name}:main"}
        files = {
            f"{name}.py": f"VERSION = {version!r}\ndef main(): print(VERSION)\n",
            f"{info}/METADATA": metadata,
            f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            **(more or {}),
            f"{info}/entry_points.txt": "[console_scripts]\n"
            + "".join(f"{k} = {v}\n" for k, v in tools.items()),
        }
        files[f"{info}/RECORD"] = "".join(f"{file},,\n" for file in [*files, *recorded, f"{info}/RECORD"])
        with zipfile.ZipFile(path, "w") as wheel:
            for file, text in files.items():
                wheel.writestr(zipfile.ZipInfo(file), text)
            for file, target in (links or {}).items():
                link = zipfile.ZipInfo(file)
                link.external_attr = (stat.S_IFLNK | 0o777) << 16
                wheel.writestr(link, target)
        return path

    def add_source(self, name: str, version: str, backend: str) -> Path:
        """A source archive whose build executes `backend` and packs the `module()` that it defines."""
        path = self.directory / f"{name}-{version}.tar.gz"
        names = f"NAME, VERSION = {name!r}, {version!r}\n"
        files = {
            "pyproject.toml": _BUILD_SYSTEM,
            "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            "backend.py": names + backend + _BACKEND,
        }
        with tarfile.open(path, "w:gz") as tar:
            for file, text in files.items():
                info = tarfile.TarInfo(f"{name}-{version}/{file}")
                info.size, info.mtime = len(text.encode()), 1_000_000_000
                tar.addfile(info, io.BytesIO(text.encode()))
        return path

    def unpack(self, archive: str, *, zipped: bool) -> None:
        """Put a source archive's files beside it, as a directory or a zip archive of the same name."""
        with tarfile.open(self.directory / archive) as tar:
            tar.extractall(self.directory, filter="data")
            directory = self.directory / archive.removesuffix(".tar.gz")
        if zipped:
            shutil.make_archive(str(directory), "zip", self.directory, directory.name)


_BUILD_SYSTEM = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""
_BACKEND = """
import os, zipfile

def build_wheel(directory, config_settings=None, metadata_directory=None):
    name = f"{NAME}-{VERSION}-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(directory, name), "w") as wheel:
        wheel.writestr(NAME + ".py", module())
        info = f"{NAME}-{VERSION}.dist-info/"
        wheel.writestr(info + "METADATA", f"Metadata-Version: 2.1\\nName: {NAME}\\nVersion: {VERSION}\\n")
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(info + "RECORD", "")
    return name
"""


@dataclass
class Site:
    """A builder with its home, as a server has it."""

    home: Path
    wheels: Wheelhouse
    builder: LocalBuilder
    blobs: LocalBlobs
    scratch: Path
    environ: dict[str, str]
    """What pip and uv see."""
    log: list[str] = field(default_factory=list)
    released: list[BuiltRelease] = field(default_factory=list)
    """Newest first."""

    def reopen(self, executor: Executor | None = None, **environ: str) -> None:
        """The same home with another sandbox, and with more variables."""
        self.environ.update(environ)
        self.builder = LocalBuilder(
            self.home, self.blobs, environ=self.environ, grace_seconds=0.0, executor=executor
        )

    async def receive(self, project: Path) -> Upload:
        archive = self.scratch / "upload.tar"
        packed = pack(project, archive)
        return await self.builder.receive(archive, packed.digest)

    async def deploy(self, project: Path, *, upgrade: bool = False) -> BuiltRelease:
        upload = await self.receive(project)
        try:
            request = BuildRequest(upload, tuple(self.released), upgrade)
            self.log.clear()
            release = await self.builder.build(request, self.log.append)
            await self.builder.settle()
        finally:
            await self.builder.discard(upload)
        self.released.insert(0, release)
        return release

    def lose_environments(self) -> None:
        shutil.move(self.home / "envs", self.scratch / f"lost-{len(list(self.scratch.iterdir()))}")
        (self.home / "envs").mkdir()

    async def python(self, release: BuiltRelease, code: str) -> str:
        """What a program prints that runs in the release's environment."""
        environment = await self.builder.env_dir(release.digest, release.env_key)
        process = await asyncio.create_subprocess_exec(
            environment / "bin" / "python", "-c", code, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
        assert process.returncode == 0
        return out.decode().strip()


class Open(Protocol):
    def __call__(self, home: Path, grace_seconds: float = 0.0) -> Site: ...


@pytest.fixture
def open_site(tmp_path: Path) -> Open:
    """Opens a site with the given home; all of one test share the wheelhouse, as hosts share an index."""
    directory = tmp_path / "wheelhouse"
    directory.mkdir()

    def opened(home: Path, grace_seconds: float = 0.0) -> Site:
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(directory),
        }
        scratch = home.with_name(home.name + "-scratch")
        scratch.mkdir()
        blobs = LocalBlobs(home / "blobs")
        builder = LocalBuilder(home, blobs, environ=environ, grace_seconds=grace_seconds)
        return Site(home, Wheelhouse(directory), builder, blobs, scratch, environ)

    return opened


@pytest.fixture
def site(open_site: Open, tmp_path: Path) -> Site:
    return open_site(tmp_path / "home")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """An agent with a prompt, data and a model pin."""
    root = tmp_path / "project"
    files = {
        "ao.toml": 'name = "support"\nentrypoint = "agent:main"\n[models]\nfast = "openai/small"\n',
        "agent.py": "def main(input):\n    return input\n",
        "prompts/system.md": "Be kind.\n",
        "data/cities.csv": "city\nOslo\n",
    }
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


@pytest.fixture(params=[Level.NAMESPACES, Level.LANDLOCK])
async def executor(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Executor]:
    try:
        executor = await ProcessExecutor.open(tmp_path / "sandboxes", level=request.param)
    except SandboxError as error:
        pytest.skip(f"{request.param} does not work here: {error}")
    yield executor
    await executor.close()
