"""`ao logs`."""

from typing import Annotated

import typer

from ao.cli import follow, output
from ao.cli.connect import connect
from ao.cli.session import Session
from ao.cli.values import run_id
from ao.cli.waiting import told_why


def logs(
    session: Session,
    run: Annotated[str, typer.Argument(help="Id of the run.")],
    follow_: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run ends.")] = False,
    tail: Annotated[int | None, typer.Option("--tail", min=1, max=10_000, help="Only the last lines.")] = None,
) -> None:
    """Print what a run wrote to stdout and stderr."""
    client = connect(session)
    handle = client.get_run(run_id(run))
    session.on_interrupt = f"run {handle.id} goes on"
    if not session.json:
        output.say(output.style(f"{handle.data['agent']} {handle.id}", "dim"))
    with told_why(client, handle.id, as_json=session.json or not follow_, follows=False):
        for line in handle.logs(follow=follow_, tail=tail):
            if session.json:
                output.json_line(line)
            else:
                at = output.style(output.clock(line.at), "dim")
                output.data(f"{at} {follow.log_line(line.text, line.stream, line.mark)}")
