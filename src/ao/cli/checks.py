"""What `ao doctor` looks at. Each check answers with what it found; none needs another to have passed."""

import asyncio
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ao.build.pythons import Pythons
from ao.cli import docker_check, output
from ao.cli.connect import connect
from ao.cli.session import Session
from ao.client.api import Client
from ao.domain.errors import AoError, InvalidConfig, SandboxError, ServerUnreachable
from ao.sandbox import Level, SandboxInfo
from ao.sandbox.process import ProcessExecutor
from ao.settings import SETTINGS, Setting, Settings, from_environment
from ao.wire.schemas import CheckView
from ao.wire.sizes import SizesView, TableSizeView

Check = Callable[[Session], Iterator[CheckView]]

LITTLE_DISK_BYTES = 2 << 30
NO_DISK_BYTES = 200 << 20


def settings(session: Session) -> Iterator[CheckView]:
    """Every AO_* variable that is set, and every mistake in one."""
    try:
        found = from_environment()
    except InvalidConfig as error:
        for problem in error.problems:
            yield _failed("settings", f"{problem.field} {problem.message}", problem.hint)
        return
    named = [name for name, origin in found.origins.items() if origin != "default"]
    yield _ok("settings", f"{', '.join(named)} from the environment" if named else "all are defaults")
    yield from _home(found)


def values() -> list[dict[str, str]]:
    """Every setting with its value and where that came from; empty when the settings are not valid."""
    try:
        found = from_environment()
    except InvalidConfig:
        return []  # `settings` reports the mistakes
    return [
        {
            "variable": setting.variable,
            "value": _value(getattr(found, setting.attribute), setting),
            "from": {"env": "environment"}.get(origin := found.origins[setting.variable], origin),
        }
        for setting in SETTINGS
    ]


_SIZES = ("AO_MAX_UPLOAD", "AO_MAX_WORKSPACE", "AO_WARM_MEMORY", "AO_WORKER_MEMORY")


def _value(value: object, setting: Setting) -> str:
    if value is None:
        return "-"
    if setting.variable in _SIZES and isinstance(value, int):
        return output.size(value)
    if setting.variable == "AO_DATABASE_URL" and str(value).startswith("sqlite:"):
        return str(value)
    if isinstance(value, dict):
        value = ",".join(f"{name}={each}" for name, each in value.items()) or "-"
    elif isinstance(value, tuple):
        value = ",".join(value) or "-"
    elif isinstance(value, float):
        value = f"{value:g}"
    return "(not shown)" if setting.secret else str(value)


def _home(found: Settings) -> Iterator[CheckView]:
    origin = "AO_HOME" if found.origins["AO_HOME"] == "env" else "the default"
    nearest = next(path for path in (found.home, *found.home.parents) if path.exists())
    if not os.access(nearest, os.W_OK | os.X_OK):
        yield _failed("home", f"{found.home} ({origin}) is not writable", "choose another with AO_HOME")
        return
    state = "exists" if found.home.exists() else "will be made by `ao up`"
    yield _ok("home", f"{found.home} ({origin}), {state}")
    free = shutil.disk_usage(nearest).free
    text = f"{output.size(free)} free where the home is"
    if free < NO_DISK_BYTES:
        yield _failed("disk", text, "free some space: new runs are refused when the disk is full")
    elif free < LITTLE_DISK_BYTES:
        yield _warning("disk", text, "`ao gc` removes what nothing uses any more")
    else:
        yield _ok("disk", text)


def pythons(session: Session) -> Iterator[CheckView]:
    """The interpreters that agents can name in ao.toml."""
    found = sorted(
        {python.minor for python in Pythons().all()}, key=lambda minor: [int(n) for n in minor.split(".")]
    )
    own = f"AO runs on {platform.python_version()} ({sys.executable})"
    yield _ok("python", f"{own}; agents can use {', '.join(found)}")


def sandbox(session: Session) -> Iterator[CheckView]:
    """The isolation that this host allows, or that AO_SANDBOX asks for, found by trying."""
    try:
        found = from_environment()
    except InvalidConfig:
        found = None  # `settings` reports the mistakes
    if found is not None and found.sandbox == "docker":
        yield from docker_check.checks(found)
        return
    level = None if found is None or found.sandbox == "auto" else Level(found.sandbox)
    try:
        info = asyncio.run(_probe(level))
    except SandboxError as error:
        yield _failed("sandbox", error.message, error.hint)
        return
    yield from isolation("sandbox", info.level, info.degraded, asked=level is not None)


def isolation(name: str, level: str, gaps: Sequence[str], *, asked: bool) -> Iterator[CheckView]:
    if not gaps:
        yield _ok(name, f"{level}: files, processes, network and limits are isolated")
        return
    reason = "AO_SANDBOX asks for this level" if asked else "docs/sandbox.md says what this host needs"
    for number, gap in enumerate(gaps):
        yield _warning(name, f"{level}: NOT ENFORCED: {gap}", reason if number == len(gaps) - 1 else "")


async def _probe(level: Level | None) -> SandboxInfo:
    with tempfile.TemporaryDirectory(prefix="ao-doctor-") as directory:
        executor = await ProcessExecutor.open(Path(directory), level=level)
        try:
            return executor.info
        finally:
            await executor.close()


def server(session: Session) -> Iterator[CheckView]:
    """The server that commands speak to, and what it says of itself."""
    try:
        client = connect(session)
    except AoError as error:  # a key file that cannot be read, or a mistyped AO_URL
        yield _failed("server", error.message, error.hint)
        return
    where = f"{client.target.url} (from {client.target.origin})"
    try:
        status = client.status()
    except ServerUnreachable:
        yield _warning("server", f"none answers at {where}", "start one with `ao up`, or set AO_URL")
        return
    except AoError as error:
        yield _failed("server", f"{where}: {error.message}", error.hint)
        return
    counts = ", ".join(f"{count} {name}" for name, count in status.runs.items())
    yield _ok("server", f"{where}, AO {status.version}, {status.database}, runs: {counts}")
    yield from status.checks
    for worker in status.workers:
        if worker.alive and worker.hold:
            told = f"{worker.name} takes nothing now: {worker.hold}"
            yield _warning("workers", told, "make room there; `ao gc` asks all to tidy their homes")
    yield from _storage(client)
    if status.degraded:
        asked = status.sandbox != "namespaces"
        yield from isolation("runs", status.sandbox, status.degraded, asked=asked)


def _storage(client: Client) -> Iterator[CheckView]:
    try:
        sizes = client.sizes()
    except AoError as error:
        yield _failed("storage", error.message, error.hint)
        return
    tables = {table.name: _table(table) for table in sizes.tables}
    room = f", {output.size(sizes.reusable_bytes)} of it free inside" if sizes.reusable_bytes else ""
    since = sizes.history_since.astimezone().date().isoformat() if sizes.history_since else "-"
    kept = f"{sizes.history_kept_days:g} days" if sizes.history_kept_days else "for ever"
    message = (
        f"database {output.size(sizes.database_bytes)}{room} (events and logs {tables.get('run_event', '-')}, "
        f"steps {tables.get('run_step', '-')}, inputs {tables.get('run', '-')}, "
        f"outputs {tables.get('run_outcome', '-')}), blobs {output.size(sizes.blob_bytes)} in {sizes.blobs:,}; "
        f"oldest history {since}, kept {kept}"
    )
    if sizes.warning:
        yield _warning("storage", f"{message}; {sizes.warning}", sizes.hint)
    else:
        yield _ok("storage", message)


def sizes(session: Session) -> SizesView | None:
    """How large what the server keeps is; None when it does not answer."""
    try:
        return connect(session).sizes()
    except AoError:
        return None  # `server` reports it


def _table(table: TableSizeView) -> str:
    rows = "" if table.rows is None else f" in {table.rows:,} row{'s' if table.rows != 1 else ''}"
    return f"{output.size(table.bytes or 0)}{rows}"


ALL: Sequence[Check] = (settings, pythons, sandbox, server)


def _ok(name: str, message: str) -> CheckView:
    return CheckView(name=name, status="ok", message=message)


def _warning(name: str, message: str, hint: str) -> CheckView:
    return CheckView(name=name, status="warning", message=message, hint=hint)


def _failed(name: str, message: str, hint: str) -> CheckView:
    return CheckView(name=name, status="failed", message=message, hint=hint)
