"""`ao server`, `ao worker` and `ao workers`: several processes and machines on one Postgres."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from ao.cli import output
from ao.cli.connect import connect
from ao.cli.server import (
    GrpcOption,
    HomeOption,
    HostOption,
    PortOption,
    announce,
    begin,
    overrides,
    told_when_full,
)
from ao.cli.session import Session
from ao.client import calls


def server(
    session: Session,
    port: PortOption = None,
    host: HostOption = None,
    grpc_port: GrpcOption = None,
    home: HomeOption = None,
) -> None:
    """Serve, build and schedule; workers execute the runs.

    Any number may run on one database, behind any load balancer. Needs AO_DATABASE_URL, AO_BLOBS and
    AO_SECRETS_KEY.
    """
    settings = begin(session, overrides(home, host, port, grpc_port))
    # Only the process that serves pays for these imports.
    from ao.wiring import check_fleet, serve  # noqa: PLC0415

    check_fleet(settings)
    with told_when_full(settings.home):
        serve(settings, lambda ready: announce(session, ready), works=False)


def worker(
    session: Session,
    slots: Annotated[
        int | None, typer.Option("--slots", min=1, max=10_000, help="Runs at once; default: AO_SLOTS.")
    ] = None,
    home: HomeOption = None,
) -> None:
    """Execute runs of the database that servers share.

    Any number may run, on any machines. SIGTERM stops claiming, lets runs end within AO_GRACE_SECONDS and hands
    back the others. Needs AO_DATABASE_URL, AO_BLOBS and AO_SECRETS_KEY.
    """
    flags = overrides(home)
    if slots is not None:
        flags["AO_SLOTS"] = str(slots)
    settings = begin(session, flags)
    from ao.wiring import check_fleet, work  # noqa: PLC0415

    check_fleet(settings)
    with told_when_full(settings.home):
        work(settings, lambda ready: announce(session, ready))


def workers(session: Session) -> None:
    """List the workers and what they do."""
    found = connect(session).send_json(calls.status())["workers"]
    if session.json:
        output.as_json(found)
        return
    if not found:
        output.say("no worker is connected; `ao up` brings one, `ao worker` adds one to a Postgres database")
        return
    headers = ("WORKER", "HOST", "RUNNING", "SLOTS", "SANDBOX", "HEARTBEAT", "")
    output.table(headers, (_row(item) for item in found))


def _row(item: Mapping[str, Any]) -> tuple[str, ...]:
    state = "" if item["alive"] else output.state("lost")
    numbers = (str(item["running"]), str(item["slots"]))
    return (item["id"], item["name"], *numbers, item["sandbox"], output.age(item["heartbeat_at"]), state)
