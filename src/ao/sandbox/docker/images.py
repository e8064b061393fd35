"""Which image a run starts from, and what Python there is in it."""

import asyncio
import json
import re
import sysconfig
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath

from ao.domain.errors import SandboxError
from ao.logs import get_logger
from ao.sandbox import SandboxSpec
from ao.sandbox.docker.bytecode import COMPILE, OUT, Bytecode
from ao.sandbox.docker.container import hardened, mount
from ao.sandbox.docker.dockerfiles import Dockerfiles
from ao.sandbox.docker.engine import Engine, Json, NoSuchThing

log = get_logger(__name__)

PLACEHOLDER = "{python}"
_PROBE = """
import importlib.util, json, os, sys, sysconfig
print(json.dumps([os.path.realpath(sys.executable), "%d.%d" % sys.version_info[:2],
                  sysconfig.get_config_var("SOABI") or "",
                  os.path.exists(importlib.util.cache_from_source(json.__file__))]))
"""
_LIB = re.compile(r"^python(3\.\d+)$")


@dataclass(frozen=True, slots=True)
class Image:
    id: str
    name: str
    python: PurePosixPath
    """The interpreter of the wanted version, links resolved."""
    variables: dict[str, str]
    """Its `ENV`."""
    bytecode: Sequence[Json] = field(repr=False)
    """Mounts that add that of its standard library; none when the image has it."""


class Images:
    """Remembers what is in an image: its id never stands for another one."""

    def __init__(
        self, engine: Engine, setting: str, owner: Json, bytecode: Bytecode, dockerfiles: Dockerfiles
    ) -> None:
        """`setting` names the image of those agents that name none; `{python}` in it is their version, such as
        `3.12`. `owner`: labels of the containers that look."""
        self.dockerfiles = dockerfiles
        self._engine = engine
        self._setting = setting
        self._owner = owner
        self._bytecode = bytecode
        self._known: dict[tuple[str, str], Image] = {}
        self._looking = asyncio.Lock()

    def name_for(self, python: str, own: str | None = None) -> str:
        return own or self._setting.replace(PLACEHOLDER, python)

    async def of(self, spec: SandboxSpec) -> Image:
        """Raises `SandboxError` when the engine does not have it, or it does not fit the environment."""
        python = await asyncio.to_thread(python_of, spec.env_dir)
        if spec.dockerfile is None:
            return await self.find(self.name_for(python, spec.image), python)
        return await self.find(await self.dockerfiles.name_for(spec), python, of=spec.dockerfile)

    async def find(self, name: str, python: str, of: str | None = None) -> Image:
        """`of`: the Dockerfile that it was built from."""
        try:
            described = await self._engine.image(name)
        except NoSuchThing as error:
            if of is not None:
                raise SandboxError(
                    f"the image of {of} was removed from the Docker Engine", hint="the next attempt builds it"
                ) from error
            raise SandboxError(
                f"the Docker Engine has no image {name}",
                hint=f"`docker pull {name}`, or name another one: AO_DOCKER_IMAGE for all agents, "
                "`image` under [sandbox] of ao.toml for one",
            ) from error
        key = (str(described["Id"]), python)
        async with self._looking:
            if key not in self._known:
                self._known[key] = await self._look(name, python, described, of)
        return self._known[key]

    async def _look(self, name: str, python: str, described: Json, of: str | None) -> Image:
        """Ask its interpreter, in a container that may nothing."""
        id, found = str(described["Id"]), list[str]()
        called = name if of is None else f"of {of}"
        for command in (f"python{python}", "python3"):
            said = await self._ask(id, command)
            if said is not None:
                found.append(said[1])
            if said is not None and said[1] == python:
                _check_platform(called, said[2])
                pairs = (str(line).partition("=") for line in described["Config"].get("Env") or ())
                variables = {key: value for key, _, value in pairs}
                bytecode = [] if said[3] else await self._compiled(id, command)
                return Image(id, name, PurePosixPath(said[0]), variables, bytecode)
        has = f"has Python {found[-1]} and not {python}" if found else f"has no Python {python}"
        other = f"AO_DOCKER_IMAGE may hold {PLACEHOLDER}" if of is None else f"FROM python:{python}-slim has"
        raise SandboxError(
            f"the image {called} {has}, which the agent's environment is made for",
            hint=f"use an image with it ({other}), or set `python` in ao.toml",
        )

    async def _ask(self, image: str, command: str) -> tuple[str, str, str, bool] | None:
        try:
            text = await self._run(image, [command, "-I", "-S", "-c", _PROBE])
        except SandboxError as error:
            if "executable file not found" in error.message or "no such file" in error.message:
                return None
            raise
        path, version, abi, has_bytecode = json.loads(text)
        return str(path), str(version), str(abi), bool(has_bytecode)

    async def _compiled(self, image: str, command: str) -> Sequence[Json]:
        """It is a matter of speed alone: what cannot be compiled is told and left."""
        known = await asyncio.to_thread(self._bytecode.known, image)
        if known is not None:
            return known
        directory = await asyncio.to_thread(self._bytecode.begin)
        try:
            out = mount(directory, OUT, write=True)
            told = await self._run(image, [command, "-I", "-S", "-c", COMPILE], out)
            await asyncio.to_thread(self._bytecode.finish, directory, image, told)
        except (SandboxError, ValueError) as error:
            log.warning("an image's standard library cannot be compiled", image=image, error=str(error))
        finally:
            await asyncio.to_thread(self._bytecode.forget, directory)
        return await asyncio.to_thread(self._bytecode.known, image) or []

    async def forget_removed(self) -> None:
        """Remove what was compiled for images that the engine has no more."""
        for image in await asyncio.to_thread(self._bytecode.images):
            try:
                await self._engine.image(image)
            except NoSuchThing:
                await asyncio.to_thread(self._bytecode.remove, image)

    async def _run(self, image: str, command: Sequence[str], *mounts: Json) -> str:
        """What a command printed that ended well, in a container of its own."""
        name = f"ao-look-{uuid.uuid4().hex[:12]}"
        body = hardened(image, command, self._owner)
        body["HostConfig"] |= {"AutoRemove": False, "LogConfig": {"Type": "json-file"}, "Mounts": list(mounts)}
        try:
            await self._engine.create(name, body)
            await self._engine.start(name)
            status, text = await self._engine.result(name)
        finally:
            await asyncio.shield(self._engine.remove(name))
        if status != 0:
            raise SandboxError(f"{command[0]} of the image {image} ended with {status}: {text}")
        return text


def _check_platform(name: str, abi: str) -> None:
    """`cpython-311-x86_64-linux-gnu`: what follows the version is what wheels are made for."""
    theirs, ours = _platform(abi), _platform(str(sysconfig.get_config_var("SOABI")))
    if theirs != ours:
        raise SandboxError(
            f"the Python of the image {name} is for {theirs}, environments of this host for {ours}",
            hint="Alpine's images have another C library: take a slim one.",
        )


def _platform(abi: str) -> str:
    return abi.split("-", 2)[-1]


@lru_cache(maxsize=256)
def python_of(env_dir: Path) -> str:
    """The version that a virtual environment, or an installation, is for, such as `3.11`."""
    for path in sorted(env_dir.glob("lib/python3.*")):
        match = _LIB.match(path.name)
        if match:
            return match[1]
    raise SandboxError(f"{env_dir} is no Python environment", hint="Build it again: deploy once more.")
