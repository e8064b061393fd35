"""The `docker` command: it knows the user's contexts and logins, and streams what it does."""

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from ao.build import Log, process
from ao.build.process import Ended
from ao.domain.errors import BuildFailed, Unavailable

_ASK_SECONDS = 30.0
_WORK_SECONDS = 3600.0


class Docker:
    """Raises `Unavailable` when there is no Docker to speak to, `BuildFailed` when it refuses."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        program = shutil.which("docker", path=environ.get("PATH"))
        if program is None:
            raise Unavailable(
                "the command `docker` is not installed here",
                hint="install Docker; --print-dockerfile shows what it would build",
            )
        self._program = program
        self._environ = environ

    async def check(self) -> None:
        """Whether an engine answers."""
        ended = await self._run(["version", "--format", "{{.Server.Version}}"], _quiet, _ASK_SECONDS)
        if ended.exit_code == 0:
            return
        said = _last(ended)
        if "permission denied" in said:
            raise Unavailable(
                f"this user may not speak to Docker: {said}",
                hint="join the group docker, or use rootless Docker",
            )
        raise Unavailable(
            f"no Docker engine answers: {said}",
            hint="start it, or name another by DOCKER_HOST or `docker context`",
        )

    async def image_id(self, reference: str) -> str | None:
        """`sha256:…` of an image that is here."""
        ended = await self._run(["image", "inspect", "--format", "{{.Id}}", reference], _quiet, _ASK_SECONDS)
        return ended.lines[-1] if ended.exit_code == 0 else None

    async def inspect(self, reference: str) -> tuple[str, int]:
        """Id and bytes of an image that was just made."""
        form = "{{.Id}} {{.Size}}"
        ended = await self._run(["image", "inspect", "--format", form, reference], _quiet, _ASK_SECONDS)
        if ended.exit_code != 0:
            raise BuildFailed(f"{reference} is not there: {_last(ended)}")
        made, size = ended.lines[-1].split()
        return made, int(size)

    async def pull(self, reference: str, log: Log) -> None:
        ended = await self._run(["pull", "--quiet", reference], log, _WORK_SECONDS)
        if ended.exit_code != 0:
            raise BuildFailed(
                f"the base image {reference} is not here and cannot be pulled: {_last(ended)}",
                hint="--base names another, such as one of your registry or one that `docker images` lists",
            )

    async def python_says(self, reference: str, script: str) -> str:
        """The JSON that the Python of an image prints; nothing of the image but this runs, without network."""
        arguments = ["run", "--rm", "--network", "none", "--entrypoint", "python3", reference, "-I", "-S", "-c"]
        ended = await self._run([*arguments, script], _quiet, _WORK_SECONDS)
        if ended.exit_code != 0:
            raise BuildFailed(
                f"the base image {reference} has no Python that starts: {_last(ended)}",
                hint="AO needs a base with `python3` 3.11 or newer and glibc, such as python:3.13-slim",
            )
        return next((line for line in reversed(ended.lines) if line.startswith("{")), "")

    async def shell_says(self, reference: str, script: str) -> Sequence[str]:
        """What a shell of an image prints, line by line; it has no network."""
        arguments = ["run", "--rm", "--network", "none", "--entrypoint", "/bin/sh", reference, "-c", script]
        ended = await self._run(arguments, _quiet, _ASK_SECONDS)
        if ended.exit_code != 0:
            raise BuildFailed(f"the base image {reference} has no shell that starts: {_last(ended)}")
        return ended.lines

    async def build(self, context: Path, tags: Sequence[str], log: Log, *, cache: bool) -> None:
        arguments = ["build", "--network", "none", *(["--no-cache"] if not cache else [])]
        for tag in tags:
            arguments += ["--tag", tag]
        ended = await self._run([*arguments, str(context)], log, _WORK_SECONDS)
        if ended.exit_code != 0:
            raise BuildFailed(
                f"the image did not build: {_last(ended)}", details={"output": list(ended.lines[-40:])}
            )

    async def tag(self, reference: str, other: str) -> None:
        ended = await self._run(["tag", reference, other], _quiet, _ASK_SECONDS)
        if ended.exit_code != 0:
            raise BuildFailed(f"{other} cannot be the name of an image: {_last(ended)}")

    async def push(self, reference: str, log: Log) -> str:
        """The digest that the registry gave it."""
        ended = await self._run(["push", reference], log, _WORK_SECONDS)
        text = "\n".join(ended.lines)
        found = re.search(r"digest: (sha256:[0-9a-f]{64})", text)
        if ended.exit_code == 0 and found is not None:
            return found[1]
        raise BuildFailed(f"{reference} was not pushed: {_last(ended)}", hint=_push_hint(text))

    async def _run(self, arguments: Sequence[str], log: Log, seconds: float) -> Ended:
        return await process.run(
            [self._program, *arguments], environ=self._environ, cwd=Path("/"), log=log, timeout_seconds=seconds
        )


def _push_hint(said: str) -> str:
    if re.search(r"denied|unauthori[sz]ed|no basic auth|authentication required", said):
        return "`docker login` tells the registry who you are; --tag names where the image goes"
    if re.search(r"server gave HTTP response to HTTPS client", said):
        return "the registry has no TLS: give it a certificate, or list it in the engine's insecure-registries"
    return "--tag names where the image goes, such as registry.internal:5000/ao"


def _last(ended: Ended) -> str:
    return ended.lines[-1].removeprefix("Error response from daemon: ") if ended.lines else "it said nothing"


def _quiet(line: str) -> None:
    """What is only asked is not shown."""
