"""`ao up` and `ao down`."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast
from urllib.parse import urlsplit

import typer

from ao.cli import output
from ao.cli.processes import server_of, start_in_background, watched
from ao.cli.session import Session
from ao.domain.errors import Conflict, NotFound, StorageFull
from ao.home import Home
from ao.settings import Settings, from_environment, is_loopback
from ao.system import refusal

if TYPE_CHECKING:
    from ao.wiring import Ready

START_SECONDS = 60.0
BUILD_SECONDS = 1800.0
"""The same for a start that builds an agent first."""
STOP_SECONDS = 40.0

HomeOption = Annotated[
    Path | None, typer.Option("--home", metavar="DIR", help="Where AO keeps everything; default: AO_HOME.")
]

PortOption = Annotated[
    int | None, typer.Option("--port", min=0, max=65535, help="0 takes a free one; default: AO_PORT.")
]
HostOption = Annotated[str | None, typer.Option("--host", help="Address to listen on; default: loopback.")]
GrpcOption = Annotated[
    int | None,
    typer.Option(
        "--grpc-port", min=0, max=65535, help="Serve gRPC, too; 0 takes a free one; default: AO_GRPC_PORT."
    ),
]


def up(
    session: Session,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return as soon as it is ready.")] = False,
    port: PortOption = None,
    host: HostOption = None,
    grpc_port: GrpcOption = None,
    home: HomeOption = None,
    deploy: Annotated[
        Path | None,
        typer.Option("--deploy", metavar="DIR", help="Make this project live first, unless it was before."),
    ] = None,
) -> None:
    """Start AO on this machine.

    Server, scheduler and worker run in this terminal until Ctrl-C; a second Ctrl-C does not wait for runs.
    """
    settings = begin(session, overrides(home, host, port, grpc_port))
    if detach:
        with refusals_told(settings.home):
            _detach(session, settings, deploy)
        return
    # Only the process that serves pays for these imports.
    from ao.wiring import serve  # noqa: PLC0415

    with refusals_told(settings.home):
        serve(settings, lambda ready: announce(session, ready), project=deploy)


def begin(session: Session, flags: Mapping[str, str]) -> Settings:
    """The settings of a process that is about to start here, and its first line."""
    settings = from_environment(flags)
    if not session.json:
        output.say(output.style(f"starting in {settings.home}", "dim"))
    if settings.origins["AO_LOG_FORMAT"] == "default" and sys.stderr.isatty():
        settings = replace(settings, log_format="text")  # somebody reads along
    return settings


@contextmanager
def refusals_told(home: Path) -> Iterator[None]:
    """A start writes to many places; wherever the space ends, it is the disk of the home."""
    try:
        yield
    except (OSError, StorageFull) as error:
        refused = refusal(error, "") if isinstance(error, OSError) else error
        if refused is None:
            raise
        if not isinstance(refused, StorageFull):
            raise refused from error
        raise StorageFull(
            f"there is no space left for {home}",
            hint="free some space and start again; nothing that was accepted is lost",
        ) from error


def down(session: Session, home: HomeOption = None) -> None:
    """Stop the AO that runs in the home directory."""
    place = Home(from_environment(overrides(home)).home)
    server = server_of(place)
    if server is None:
        raise NotFound(
            f"no AO server runs in {place.root}", hint="`ao up` starts one; --home names another home"
        )
    url, pid = server
    output.say(f"stopping {url} (pid {pid})")
    with watched(pid) as process:
        process.terminate()
        if not process.ends_within(STOP_SECONDS):
            raise Conflict(
                f"the server (pid {pid}) is still finishing runs after {STOP_SECONDS:.0f} s",
                hint=f"wait, or `kill -9 {pid}`: what it was running is taken up again at the next start",
            )
    if session.json:
        output.as_json({"stopped": True, "url": url, "pid": pid, "home": str(place.root)})
    else:
        output.say("stopped")


def overrides(
    home: Path | None, host: str | None = None, port: int | None = None, grpc_port: int | None = None
) -> dict[str, str]:
    flags = {"AO_HOME": home and home.absolute(), "AO_HOST": host, "AO_PORT": port, "AO_GRPC_PORT": grpc_port}
    return {name: str(value) for name, value in flags.items() if value is not None}


def announce(session: Session, ready: "Ready") -> None:
    facts = {
        "url": ready.url,
        "grpc": ready.grpc,
        "login_url": ready.login_url,
        "home": str(ready.home),
        "database": ready.database,
        "sandbox": ready.sandbox,
        "slots": ready.slots,
        "degraded": list(ready.degraded),
        "pid": os.getpid(),
    }
    if session.json:
        output.json_line(facts)
        return
    for name in ("home", "database", "sandbox", "slots", "url", "grpc"):
        if facts[name]:
            output.say(f"{output.style(f'{name:<9}', 'dim')} {facts[name]}")
    if ready.login_url is not None and sys.stderr.isatty():  # a log that is kept gets no login
        _tell_dashboard(ready.login_url)
    _tell_degraded(ready.degraded)
    if ready.url is not None:
        _tell_exposed(ready.url)
    waits = "runs" if ready.slots else "requests; `ao worker` on this database executes runs"
    output.say(output.style(f"ready, waiting for {waits}", "green", "bold") + " — Ctrl-C stops")


def _tell_dashboard(login_url: str) -> None:
    output.say(f"{output.style('dashboard', 'dim')} {login_url}")
    output.say(output.style("          logs in once; `ao dashboard` prints a fresh link", "dim"))


def _tell_exposed(url: str) -> None:
    if not is_loopback(urlsplit(url).hostname or ""):
        output.say(
            f"{output.style('REACHABLE', 'yellow', 'bold')} from other machines; requests need an API key,"
        )
        output.say("          and are not encrypted: put a proxy with TLS in front")


def _tell_degraded(gaps: Sequence[str]) -> None:
    for gap in gaps:
        output.say(f"{output.style('NOT ENFORCED', 'red', 'bold')} {gap}")
    if gaps:
        output.say("          `ao doctor` says what to do about it")


def _detach(session: Session, settings: Settings, project: Path | None) -> None:
    """Start `ao up` as a process of its own and wait until it is ready or has failed."""
    home = Home(settings.home)
    home.prepare()
    log = home.logs / "ao.log"
    place = ["--home", str(settings.home), "--host", settings.host, "--port", str(settings.port)]
    if settings.grpc_port is not None:
        place += ["--grpc-port", str(settings.grpc_port)]
    if project is not None:
        place += ["--deploy", str(project.absolute())]
    facts = start_in_background(["up", *place], log, START_SECONDS if project is None else BUILD_SECONDS)
    if session.json:
        output.as_json(facts)
        return
    ready = output.style("ready, waiting for runs", "green", "bold")
    output.say(f"{ready} at {facts['url']} (pid {facts['pid']})")
    if facts["grpc"] is not None:
        output.say(f"gRPC at {facts['grpc']}")
    output.say(f"home {facts['home']}, sandbox {facts['sandbox']}, log {log}")
    _tell_dashboard(str(facts["login_url"]))
    _tell_degraded(cast("Sequence[str]", facts["degraded"]))
    _tell_exposed(str(facts["url"]))
    output.next_step("ao deploy (`ao down` stops the server)")
