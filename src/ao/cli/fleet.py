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
    refusals_told,
)
from ao.cli.session import Session
from ao.client import fleet_calls
from ao.domain.errors import UsageError
from ao.domain.placement import memory_words


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
    with refusals_told(settings.home):
        serve(settings, lambda ready: announce(session, ready), works=False)


def worker(
    session: Session,
    slots: Annotated[
        int | None, typer.Option("--slots", min=1, max=10_000, help="Runs at once; default: AO_SLOTS.")
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option("--label", metavar="NAME=VALUE", help="What agents may require; default: AO_LABELS."),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option("--memory", metavar="SIZE", help="For runs that take some; default: that of the machine."),
    ] = None,
    cpus: Annotated[
        float | None, typer.Option("--cpus", min=0.001, help="Cores for runs; default: those of the machine.")
    ] = None,
    gpus: Annotated[
        int | None, typer.Option("--gpus", min=0, max=64, help="GPUs for runs; default: those of the machine.")
    ] = None,
    home: HomeOption = None,
) -> None:
    """Execute runs of the database that servers share.

    Any number may run, on any machines. SIGTERM stops claiming, lets runs end within AO_GRACE_SECONDS and hands
    back the others. Needs AO_DATABASE_URL, AO_BLOBS and AO_SECRETS_KEY.
    """
    flags = overrides(home)
    given = {"AO_SLOTS": slots, "AO_WORKER_MEMORY": memory, "AO_WORKER_CPUS": cpus, "AO_WORKER_GPUS": gpus}
    flags |= {name: str(value) for name, value in given.items() if value is not None}
    if label:
        flags["AO_LABELS"] = ",".join(label)
    settings = begin(session, flags)
    from ao.wiring import check_fleet, work  # noqa: PLC0415

    check_fleet(settings)
    with refusals_told(settings.home):
        work(settings, lambda ready: announce(session, ready))


def list_workers(session: Session) -> None:
    """List what workers have and do, and why runs wait for them.

    Memory, cores and GPUs are those that runs with a placement have taken, of those that there are.
    """
    found = connect(session).send_json(fleet_calls.list_workers())
    if session.json:
        output.as_json(found)
        return
    if found["workers"]:
        output.table(_HEADERS, (_row(item) for item in found["workers"]))
        for item in found["workers"]:
            if item["hold"] and item["alive"]:
                output.say(f"{item['name']} takes nothing now: {item['hold']}")
    else:
        output.say("no worker is connected; `ao up` brings one, `ao worker` adds one to a Postgres database")
    if found["queues"]:
        output.say("")
        output.table(("WAITING", "NEEDS", "SINCE", "WHY"), (_queue(item) for item in found["queues"]))


def drain(
    session: Session,
    worker: Annotated[str, typer.Argument(metavar="WORKER", help="Its id, or the start of it.")],
) -> None:
    """Let a worker take nothing more; it ends when its runs have ended.

    Runs that take longer than its AO_GRACE_SECONDS are handed back and go on elsewhere, after their last
    recorded step. `ao worker` then exits with 0; the worker of `ao up` is back when that is started again.
    """
    client = connect(session)
    ids = [item["id"] for item in client.send_json(fleet_calls.list_workers())["workers"]]
    matching = [each for each in ids if each.startswith(worker)] or [worker]
    if len(matching) > 1:
        raise UsageError(f"{len(matching)} workers begin with {worker}", hint="give more of the id")
    found = client.send_json(fleet_calls.drain_worker(matching[0]))
    if session.json:
        output.as_json(found)
        return
    output.say(f"{found['name']} drains: it takes nothing more, {found['running']} of its runs go on")


_HEADERS = (
    "WORKER",
    "HOST",
    "STATE",
    "SLOTS",
    "MEMORY",
    "CORES",
    "GPUS",
    "LABELS",
    "SANDBOX",
    "VERSION",
    "HEARTBEAT",
)


def _row(item: Mapping[str, Any]) -> tuple[str, ...]:
    has, used = item["capacity"], item["used"]
    taking = "draining" if item["draining"] else "holds" if item["hold"] else "works"
    state = taking if item["alive"] else "lost"
    return (
        item["id"],
        item["name"],
        output.state(state),
        f"{item['running']}/{item['slots']}",
        f"{memory_words(used['memory'])}/{memory_words(has['memory'])}",
        f"{used['cpu']:g}/{has['cpu']:g}",
        f"{used['gpu']}/{has['gpu']}",
        ",".join(f"{name}={value}" for name, value in item["labels"].items()) or "-",
        item["sandbox"],
        item["version"] or "-",
        output.age(item["heartbeat_at"]),
    )


def _queue(item: Mapping[str, Any]) -> tuple[str, ...]:
    runs = "1 run" if item["runs"] == 1 else f"{item['runs']} runs"
    return (runs, item["needs"] or "any worker", output.age(item["since"]), item["why"])
