"""`ao assistants`: list, show, compare, point and archive; `ao.cli.assistant_edit` makes and changes them."""

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from ao.cli import output
from ao.cli.connect import connect, refuse_unknown
from ao.cli.session import Session
from ao.cli.values import agent_name, version_number
from ao.client import assistant_calls as calls
from ao.domain.errors import NotFound

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the assistant.")]
Message = Annotated[str, typer.Option("--message", "-m", metavar="TEXT", help="Why; shown in the history.")]


def list_assistants(
    session: Session,
    agent: Annotated[str | None, typer.Option("--agent", metavar="NAME", help="Of this agent.")] = None,
    archived: Annotated[bool, typer.Option("--archived", help="Also archived ones.")] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="At most this many.")] = 50,
) -> None:
    """List the assistants; every agent has one of its own name."""
    page = connect(session).send_json(calls.list_assistants(agent=agent, archived=archived, limit=limit))
    if session.json:
        output.as_json(page)
        return
    if not page["items"]:
        refuse_unknown(session, agent)
        output.say("no assistants")
        output.next_step("ao deploy makes an agent, and with it its own assistant")
        return
    header = ("NAME", "AGENT", "VERSION", "RUNS ON", "OVERRIDES", "CHANGED", "DESCRIPTION")
    output.table(header, map(_row, page["items"]))
    output.more(page, limit)


def _row(item: Mapping[str, Any]) -> tuple[str, ...]:
    version = "own" if item["own"] else f"v{item['version']}"
    if item["archived_at"]:
        version = output.style("archived", "yellow")
    overrides = ", ".join(item["config"].get("overrides", {})) or "-"
    changed = output.age(item["updated_at"])
    return (item["name"], item["agent"], version, _runs_on(item), overrides, changed, item["description"])


def _runs_on(item: Mapping[str, Any]) -> str:
    return f"v{item['pinned']}" if item["pinned"] else f"{item['environment']}"


def show(
    session: Session,
    name: Name,
    version: Annotated[
        str | None, typer.Option("--version", metavar="V", help="This version, not the latest.")
    ] = None,
) -> None:
    """Show an assistant: what it runs, its input schema and what it overrides."""
    client = connect(session)
    if version is not None:
        found = client.send_json(calls.get_assistant_version(agent_name(name), version_number(version)))
    else:
        found = client.send_json(calls.get_assistant(agent_name(name)))
    if session.json:
        output.as_json(found)
        return
    for line in _described(found):
        output.data(line)


def _described(found: Mapping[str, Any]) -> Iterator[str]:
    config = found["config"]
    name = found.get("name") or found["assistant"]
    if found.get("own"):
        yield f"{output.style(name, 'bold')} is the agent's own assistant: the agent as it is released"
        return
    where = f"v{config['version']}" if config["version"] else f"what is live in {config['environment']}"
    yield f"{output.style(name, 'bold')} v{found['version']} runs {where} of {found['agent']}"
    if found.get("archived_at"):
        yield output.style(f"archived {output.age(found['archived_at'])}: nothing new runs on it", "yellow")
    if config["description"]:
        yield config["description"]
    for field in ("overrides", "input_schema", "metadata"):
        if config[field]:
            yield output.style(field, "dim")
            yield from (
                f"  {line}" for line in json.dumps(config[field], indent=2, ensure_ascii=False).split("\n")
            )


def history(
    session: Session,
    name: Name,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="At most this many.")] = 20,
) -> None:
    """Show what an assistant's name has meant: since when, because of whom and why."""
    page = connect(session).send_json(calls.assistant_history(agent_name(name), limit=limit))
    if session.json:
        output.as_json(page)
        return
    if not page["items"]:
        output.say(f"{name} is an agent's own assistant: it never changes")
        output.next_step(f"ao deployments {name}")
        return
    output.table(("VERSION", "WHAT", "FROM", "AGE", "BY", "MESSAGE"), map(_move, page["items"]))
    output.more(page, limit)


def _move(item: Mapping[str, Any]) -> tuple[str, ...]:
    frm = f"v{item['from']}" if item["from"] else "-"
    what = item["action"].replace("_", " ")
    return (f"v{item['to']}", what, frm, output.age(item["at"]), item["actor"], item["message"])


def diff(
    session: Session,
    name: Name,
    before: Annotated[
        str | None, typer.Argument(metavar="[V1]", help="Version; default: the one before V2.")
    ] = None,
    after: Annotated[str | None, typer.Argument(metavar="[V2]", help="Version; default: the latest.")] = None,
) -> None:
    """Show what differs between two versions of an assistant, field by field."""
    client = connect(session)
    last = (
        version_number(after) if after else client.send_json(calls.get_assistant(agent_name(name)))["version"]
    )
    if last is None:
        raise NotFound(f"{name} is an agent's own assistant: it has no versions", hint=f"ao diff {name} V1 V2")
    first = version_number(before) if before else max(1, last - 1)
    found = client.send_json(calls.assistant_diff(agent_name(name), first, last))
    if session.json:
        output.as_json(found)
        return
    if found["same"]:
        output.say(f"{name} v{first} and v{last} say the same")
    for change in found["changes"]:
        for line in _change(change):
            output.data(line)


def _change(change: Mapping[str, Any]) -> Iterator[str]:
    if change["diff"]:
        yield output.style(change["path"], "bold")
        for line in change["diff"].splitlines()[2:]:
            colour = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
            yield "  " + (output.style(line, colour) if colour else line)
        return
    shown = [json.dumps(change[side], ensure_ascii=False) for side in ("before", "after")]
    yield f"{output.style(change['path'], 'bold')}: {shown[0]} → {shown[1]}"


def set_latest(
    session: Session,
    name: Name,
    version: Annotated[str, typer.Argument(metavar="V", help="Version, such as v2.")],
    message: Message = "",
) -> None:
    """Let an assistant's name mean a version that is there already.

    Runs that were accepted stay on the version that they were accepted with.
    """
    call = calls.set_latest_assistant(agent_name(name), version_number(version), message)
    moved = connect(session).send_json(call)
    if session.json:
        output.as_json(moved)
    else:
        output.say(f"{name} is v{moved['version']} now")
        output.next_step(f"ao run {name}")


def delete(session: Session, name: Name, message: Message = "") -> None:
    """Archive an assistant: nothing new runs on it.

    Runs that were accepted go on. Its versions, its history and its name stay; `ao assistants create` with the
    same name makes its next version.
    """
    archived = connect(session).send_json(calls.delete_assistant(agent_name(name), message))
    if session.json:
        output.as_json(archived)
    else:
        output.say(f"{name} is archived")
