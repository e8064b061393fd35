"""`ao run`."""

import json
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer

from ao.cli import follow, output
from ao.cli.connect import connect
from ao.cli.session import Session
from ao.cli.values import agent_name, run_input, version_number
from ao.cli.waiting import told_why
from ao.client import assistant_calls
from ao.client.api import Client
from ao.client.handles import RunHandle
from ao.domain.errors import Forbidden, NotFound, UsageError
from ao.domain.session import Overlap


class Disconnect(StrEnum):
    CONTINUE = "continue"
    CANCEL = "cancel"


def run(
    session: Session,
    agent: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Name of the agent, or of an assistant.")
    ] = None,
    input_: Annotated[
        str | None, typer.Option("--input", "-i", metavar="JSON", help="JSON, @FILE, or - for stdin.")
    ] = None,
    follow_: Annotated[bool, typer.Option("--follow", "-f", help="Print what happens until the end.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the result and print it.")] = False,
    timeout: Annotated[
        float | None,
        typer.Option("--timeout", min=0, metavar="SECONDS", help="How long to wait; the run goes on."),
    ] = None,
    version: Annotated[
        str | None, typer.Option("--version", metavar="V", help="Run this version, not the live one.")
    ] = None,
    assistant: Annotated[
        str | None, typer.Option("--assistant", metavar="NAME", help="Run this assistant.")
    ] = None,
    assistant_version: Annotated[
        str | None,
        typer.Option("--assistant-version", metavar="V", help="This version of the assistant, not its latest."),
    ] = None,
    idempotency_key: Annotated[
        str | None, typer.Option("--idempotency-key", metavar="KEY", help="The same key starts one run only.")
    ] = None,
    priority: Annotated[int, typer.Option("--priority", min=-1000, max=1000, help="Larger is sooner.")] = 0,
    concurrency_key: Annotated[
        str | None,
        typer.Option(
            "--concurrency-key", metavar="KEY", help="Runs with the same key share the agent's limit."
        ),
    ] = None,
    webhook: Annotated[
        str | None, typer.Option("--webhook", metavar="URL", help="Is told of the run's end, signed.")
    ] = None,
    webhook_secret: Annotated[
        str | None, typer.Option("--webhook-secret", metavar="NAME", help="Name of the secret that signs.")
    ] = None,
    session_id: Annotated[
        str | None,
        typer.Option("--session", metavar="ID", help="The run remembers what this session has; made if new."),
    ] = None,
    on_overlap: Annotated[
        Overlap | None,
        typer.Option("--on-overlap", help="With --session: when a run of it has not ended. Default: enqueue."),
    ] = None,
    on_disconnect: Annotated[
        Disconnect,
        typer.Option("--on-disconnect", help="With --wait or --follow: when this command ends first."),
    ] = Disconnect.CONTINUE,
) -> None:
    """Start a run of an agent, or of an assistant.

    Answers with the run's id once it is stored safely. --wait and --follow answer with the result, and exit
    with 0 when the run completed, 1 when it did not, and 124 when --timeout is over first.
    """
    if timeout is not None and not (wait or follow_):
        raise UsageError("--timeout needs --wait or --follow")
    if bool(webhook) is not bool(webhook_secret):
        raise UsageError("--webhook and --webhook-secret go together", hint="unsigned webhooks are not sent")
    bound = on_disconnect is Disconnect.CANCEL
    if bound and (timeout is not None or not (wait or follow_)):
        raise UsageError("--on-disconnect cancel needs --wait or --follow, without --timeout")
    if on_overlap is not None and session_id is None:
        raise UsageError("--on-overlap needs --session")
    client = connect(session)
    asked: dict[str, Any] = {
        "input": run_input(input_),
        "version": version_number(version) if version else None,
        "idempotency_key": idempotency_key,
        "priority": priority,
        "session": session_id,
        "on_overlap": on_overlap.value if on_overlap else None,
        "concurrency_key": concurrency_key,
        "webhook": {"url": webhook, "secret": webhook_secret} if webhook and webhook_secret else None,
        "assistant_version": version_number(assistant_version) if assistant_version else None,
    }
    handle = _start(client, agent, assistant, asked)
    session.on_interrupt = f"run {handle.id} goes on: ao logs {handle.id} -f, ao cancel {handle.id}"
    if not (wait or follow_):
        _submitted(session, handle)
        return
    if not session.json:
        output.say(f"run {handle.id}")
    with told_why(client, handle.id, as_json=session.json, follows=follow_):
        if bound:
            session.on_interrupt = f"run {handle.id} is being cancelled"
            follow.bound_to_end(handle, session.json, quiet=not follow_)
        elif follow_:
            follow.until_end(handle, timeout, session.json)
        elif not session.json:
            handle.wait(timeout)
    if not (session.json or follow_ or bound):
        _tell_gaps(follow.gaps_of(client, handle.id), handle.id)
    _result(session, handle, timeout, follow_)


def _start(client: Client, agent: str | None, assistant: str | None, asked: dict[str, Any]) -> RunHandle:
    """Of the agent; of the assistant that has the name, where no agent has it."""
    if (agent is None) == (assistant is None):
        raise UsageError(
            "name what is to run: an agent, or an assistant", hint="`ao assistants list` shows both"
        )
    if assistant is not None or asked["assistant_version"] is not None:
        return client.run(assistant=agent_name(assistant or agent or ""), **asked)
    name = agent_name(agent or "")
    try:
        return client.run(name, **asked)
    except (NotFound, Forbidden) as error:  # a key with a scope is for agents, not for names of assistants
        try:
            is_own = client.send_json(assistant_calls.get_assistant(name))["own"]
        except NotFound as unknown:  # its hint knows the names of both
            if isinstance(error, Forbidden):
                raise error from None
            raise NotFound(error.message, hint=unknown.hint) from None
        except Forbidden:
            raise error from None
        if is_own:
            raise
    return client.run(assistant=name, **asked)


def _submitted(session: Session, handle: RunHandle) -> None:
    if session.json:
        output.as_json(handle.data)
        return
    output.data(handle.id)
    output.next_step(f"ao logs {handle.id} -f")


def _tell_gaps(gaps: Sequence[str], run_id: str) -> None:
    """One line: the result is what was asked for; `ao run -f` and `ao show` list them."""
    if gaps:
        more = f" (and {len(gaps) - 1} more: ao show {run_id})" if len(gaps) > 1 else ""
        output.say(f"{follow.gap_line(gaps[0]).strip()}{more}")


def _result(session: Session, handle: RunHandle, timeout: float | None, followed: bool) -> None:
    """Print the result; a run that did not complete raises RunFailed."""
    result = handle.result(timeout)
    if session.json:
        if not followed:
            output.as_json(handle.data)
        return
    view = handle.view
    if view.finished_at is not None:
        took = output.duration((view.finished_at - view.created_at).total_seconds())
        tries = f"{view.attempt} attempt{'s' if view.attempt != 1 else ''}"
        output.say(f"{output.state(view.state)} in {took}, {tries}, {view.agent} v{view.version}")
    output.data(json.dumps(result, indent=2, ensure_ascii=False))
