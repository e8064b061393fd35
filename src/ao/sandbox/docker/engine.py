"""The Docker Engine API, as far as sandboxes need it, over the engine's Unix socket."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote, urlsplit

import httpx

from ao.domain.errors import SandboxError, StorageFull, Unavailable

DEFAULT_HOST = "unix:///var/run/docker.sock"
_OLDEST_API, _NEWEST_API = (1, 41), (1, 47)
"""What was tried is spoken, or the nearest that the engine speaks. Docker 20.10 has 1.41."""
_SECONDS = 60.0
"""For an engine that is busy; none of these calls waits for a container."""
_LONGEST_LOG = 64 << 10
_FULL = "no space left on device"
_NO_GPUS = "NVIDIA's container toolkit gives GPUs to containers; a worker without GPUs says AO_WORKER_GPUS=0"

Json = dict[str, Any]


class NoSuchThing(SandboxError):
    """The engine does not have it."""


class NameTaken(SandboxError):
    """A container of this name exists."""


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """What an engine says of itself."""

    version: str
    socket: str
    storage_driver: str
    cgroups: str
    """`1` or `2`."""
    cpus: int
    degraded: Sequence[str]
    """What it cannot enforce on this host, in words."""
    security: Sequence[str]
    """Names such as `seccomp`, `apparmor`, `selinux`, `rootless`."""


def socket_of(environ: Mapping[str, str]) -> str:
    """The engine's socket, from DOCKER_HOST. Raises `SandboxError`."""
    host = environ.get("DOCKER_HOST") or DEFAULT_HOST
    parts = urlsplit(host)
    if parts.scheme != "unix" or not parts.path.startswith("/"):
        raise SandboxError(
            f"DOCKER_HOST is {host}: sandboxes need an engine on this host, at unix:///path/to/socket",
            hint="Releases and environments are directories of this host that its containers mount. "
            "Run a worker on the other machine instead.",
        )
    return parts.path


class Engine:
    """Every call opens a connection of its own: an engine that was restarted is no trouble.

    Raises `Unavailable` when the engine does not answer, `SandboxError` when it refuses.
    """

    def __init__(self, socket: str) -> None:
        self.socket = socket
        self._version = ""
        self._http = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(uds=socket, limits=httpx.Limits(max_keepalive_connections=0)),
            base_url="http://docker",
            timeout=_SECONDS,
            trust_env=False,
        )

    @classmethod
    async def open(cls, socket: str) -> "Engine":
        """Agree on a version. Raises `Unavailable`, and `SandboxError` for an engine that is too old."""
        engine = cls(socket)
        try:
            told = await engine._json("GET", "/version")
            newest, oldest = (_number(str(told[key])) for key in ("ApiVersion", "MinAPIVersion"))
            if newest < _OLDEST_API:
                raise SandboxError(f"Docker {told['Version']} is too old", hint="Docker 20.10 is the oldest.")
            engine._version = "/v{}.{}".format(*max(oldest, min(newest, _NEWEST_API)))
        except BaseException:
            await engine.close()
            raise
        return engine

    async def close(self) -> None:
        await self._http.aclose()

    async def facts(self) -> EngineFacts:
        info = await self._json("GET", "/info")
        if info.get("OSType") != "linux":
            raise SandboxError(f"the Docker Engine runs {info.get('OSType')} containers; AO needs Linux")
        return EngineFacts(
            version=str(info["ServerVersion"]),
            socket=self.socket,
            storage_driver=str(info["Driver"]),
            cgroups=str(info.get("CgroupVersion", "1")),
            cpus=int(info["NCPU"]),
            degraded=tuple(_gaps(info)),
            security=tuple(_security(info)),
        )

    async def image(self, name: str) -> Json:
        """Raises `NoSuchThing`."""
        return await self._json("GET", f"/images/{quote(name, safe='/:@')}/json")

    async def remove_image(self, name: str) -> None:
        """One that is gone is fine. Raises `NameTaken` when a container has it."""
        try:
            await self._call("DELETE", f"/images/{quote(name, safe='/:@')}")
        except NoSuchThing:
            return

    async def build(
        self, options: Mapping[str, str], archive: Callable[[], Iterator[bytes]]
    ) -> AsyncIterator[Json]:
        """What the engine says while it builds; the last message has `error` when it could not. Closing the
        connection ends the build. `archive`: its context as a tar, read in a thread."""
        path = f"{self._version}/build"
        request = self._http.build_request(
            "POST",
            path,
            params=options,
            content=_from_thread(archive),
            headers={"Content-Type": "application/x-tar"},
            timeout=httpx.Timeout(_SECONDS, read=None),
        )
        try:
            answer = await self._http.send(request, stream=True)
            try:
                if not answer.is_success:
                    await answer.aread()
                    yield _checked({"error": _message(answer)})
                    return
                async for line in answer.aiter_lines():
                    if line.strip():
                        yield _checked(json.loads(line))
            finally:
                await answer.aclose()
        except httpx.TransportError as error:
            raise self._away(error) from error

    async def create(self, name: str, body: Json) -> None:
        """Raises `NameTaken`, `NoSuchThing` (an image or a network)."""
        await self._json("POST", "/containers/create", params={"name": name}, body=body)

    async def start(self, name: str) -> None:
        await self._call("POST", f"/containers/{name}/start")

    async def state(self, name: str) -> Json:
        """Raises `NoSuchThing`."""
        return cast("Json", (await self._json("GET", f"/containers/{name}/json"))["State"])

    async def result(self, name: str) -> tuple[int, str]:
        """Wait for its end: exit status and what it wrote."""
        ended = await self._json("POST", f"/containers/{name}/wait")
        answer = await self._call("GET", f"/containers/{name}/logs", params={"stdout": "1", "stderr": "1"})
        return int(ended["StatusCode"]), _unframed(answer.content[:_LONGEST_LOG])

    async def remove(self, name: str) -> None:
        """Kill it and have it removed; one that is gone, or going, is fine."""
        try:
            await self._call("DELETE", f"/containers/{name}", params={"force": "1", "v": "1"})
        except (NoSuchThing, NameTaken):
            return

    async def labelled(self, label: str) -> list[str]:
        """Ids of all containers with this label, in whatever state."""
        filters = json.dumps({"label": [label]})
        found = await self._call("GET", "/containers/json", params={"all": "1", "filters": filters})
        return [str(each["Id"]) for each in found.json()]

    async def _json(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: Json | None = None
    ) -> Json:
        return cast("Json", (await self._call(method, path, params=params, body=body)).json())

    async def _call(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: Json | None = None
    ) -> httpx.Response:
        try:
            answer = await self._http.request(method, self._version + path, params=params, json=body)
        except httpx.TransportError as error:
            raise self._away(error) from error
        if answer.is_success or answer.status_code == httpx.codes.NOT_MODIFIED:
            return answer
        raise _refusal(answer, method, path)

    def _away(self, error: httpx.TransportError) -> Unavailable:
        return Unavailable(
            f"no Docker Engine answers at {self.socket}: {str(error) or type(error).__name__}",
            hint="Is dockerd running, and may this user open its socket (group `docker`)? "
            "DOCKER_HOST=unix:///path names another one.",
        )


async def _from_thread(archive: Callable[[], Iterator[bytes]]) -> AsyncIterator[bytes]:
    chunks = archive()
    while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
        yield chunk


def _refusal(answer: httpx.Response, method: str, path: str) -> SandboxError | StorageFull:
    message = f"the Docker Engine refuses {method} {path}: {_message(answer)}"
    if _FULL in message:
        return _no_room(message)
    kinds: dict[int, type[SandboxError]] = {404: NoSuchThing, 409: NameTaken}
    hint = _NO_GPUS if "could not select device driver" in message else ""
    return kinds.get(answer.status_code, SandboxError)(message, hint=hint)


def _checked(message: Json) -> Json:
    """Raises `StorageFull` when that is what ended a build."""
    if _FULL in str(message.get("error", "")):
        raise _no_room(f"the Docker Engine cannot build: {message['error']}")
    return message


def _no_room(message: str) -> StorageFull:
    return StorageFull(
        message, hint="make room where the engine keeps images, such as by `docker system prune`"
    )


def _number(version: str) -> tuple[int, int]:
    major, _, minor = version.partition(".")
    return int(major), int(minor)


def _message(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["message"]).strip()
    except (ValueError, KeyError):
        return answer.text.strip() or str(answer.status_code)


def _security(info: Json) -> list[str]:
    """`["name=seccomp,profile=default", …]` → names."""
    options = [dict(_pairs(str(option))) for option in info.get("SecurityOptions") or ()]
    return [option["name"] for option in options if option.get("profile") != "unconfined" and "name" in option]


def _pairs(option: str) -> list[tuple[str, str]]:
    return [(key, value) for key, _, value in (part.partition("=") for part in option.split(","))]


def _gaps(info: Json) -> list[str]:
    needed = {
        "MemoryLimit": "the container's memory has no limit in the kernel (the memory of processes is watched)",
        "PidsLimit": "the number of processes and threads is not limited",
        "CpuCfsQuota": "the limit of CPU cores is not enforced",
    }
    lines = [text for key, text in needed.items() if not info.get(key)]
    if "seccomp" not in _security(info):
        lines.append("the engine has no seccomp profile: AO's own system call filter alone is in force")
    return lines


def _unframed(data: bytes) -> str:
    """The text of a log: each piece has a header of eight bytes, the last four are its length."""
    text = bytearray()
    while len(data) >= 8:
        length = int.from_bytes(data[4:8], "big")
        text += data[8 : 8 + length]
        data = data[8 + length :]
    return text.decode("utf-8", "replace").strip()
