"""What `[build]` says that the host must have: checked, never installed."""

import asyncio
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ao.build import Log, process
from ao.domain.agent_config import Build
from ao.domain.errors import BuildFailed

_TIMEOUT_SECONDS = 20.0


async def check(build: Build, environ: Mapping[str, str], log: Log) -> None:
    """Raises `BuildFailed` for a Node.js version or system packages that the host does not have."""
    if build.node is not None:
        version = await _node(environ)
        if version.partition(".")[0] != build.node:
            raise BuildFailed(
                f"Node.js {build.node} is not on this host" + (f"; it has {version}" if version else ""),
                hint="install it on the host; AO downloads none",
            )
        log(f"Node.js {version}")
    missing = [name for name in build.system if not await _has_package(name, environ)]
    if missing:
        raise BuildFailed(
            f"this host does not have {', '.join(missing)}, which [build] system asks for",
            hint=f"install them on the host, such as `apt-get install {' '.join(missing)}`",
        )
    if build.system:
        log(f"System packages: {', '.join(build.system)}")


async def _node(environ: Mapping[str, str]) -> str:
    node = await asyncio.to_thread(shutil.which, "node", path=environ.get("PATH"))
    if node is None:
        return ""
    _, said = await _ask([node, "--version"], environ)
    match = re.match(r"v(\d+\.\d+\.\d+)", said)
    return match[1] if match else ""


async def _has_package(name: str, environ: Mapping[str, str]) -> bool:
    """Installed by the package manager, or there as a program."""
    for manager, query in (("dpkg-query", ["-W", "-f=${db:Status-Status}"]), ("rpm", ["-q"])):
        program = await asyncio.to_thread(shutil.which, manager, path=environ.get("PATH"))
        if program is not None:
            exit_code, said = await _ask([program, *query, name], environ)
            if exit_code == 0 and "not-installed" not in said and "config-files" not in said:
                return True
    return await asyncio.to_thread(shutil.which, name, path=environ.get("PATH")) is not None


async def _ask(argv: list[str], environ: Mapping[str, str]) -> tuple[int, str]:
    ended = await process.run(
        argv,
        environ=environ,
        cwd=Path(tempfile.gettempdir()),
        log=lambda line: None,
        timeout_seconds=_TIMEOUT_SECONDS,
    )
    return ended.exit_code, "\n".join(ended.lines)
