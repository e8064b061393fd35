"""`ao sessions`."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from ao.cli import output
from ao.cli.connect import connect, refuse_unknown
from ao.cli.session import Session
from ao.cli.values import agent_name, naming_files
from ao.client import session_calls as calls
from ao.domain.errors import UsageError

Agent = Annotated[str, typer.Argument(help="Name of the agent.")]
Id = Annotated[str, typer.Argument(metavar="SESSION", help="Id of the session.")]
At = Annotated[int | None, typer.Option("--at", min=1, metavar="VERSION", help="As it was in this version.")]
Force = Annotated[bool, typer.Option("--force", help="Even while a run of it has not ended.")]


def list_sessions(
    session: Session,
    agent: Annotated[str | None, typer.Option("--agent", metavar="NAME", help="Of this agent.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="At most this many.")] = 20,
) -> None:
    """List sessions, last used first."""
    page = connect(session).send_json(calls.list_sessions(agent=agent, limit=limit))
    if session.json:
        output.as_json(page)
        return
    if not page["items"]:
        refuse_unknown(session, agent)
        output.say("no sessions; `ao run AGENT --session ID` makes one")
        return
    headers = ("AGENT", "SESSION", "VERSION", "MESSAGES", "WORKSPACE", "USED", "RUN")
    output.table(headers, (_row(item) for item in page["items"]))
    output.more(page, limit)


def _row(item: Mapping[str, Any]) -> tuple[str, ...]:
    waiting = item["open_runs"] - 1
    run = (item["active_run"] or "-") + (f" (+{waiting} waiting)" if waiting > 0 else "")
    used = output.age(item["used_at"])
    return (item["agent"], item["id"], str(item["version"]), str(item["messages"]), _files(item), used, run)


def _files(item: Mapping[str, Any]) -> str:
    workspace = item["workspace"]
    return "-" if workspace is None else _amount(workspace)


def show(session: Session, agent: Agent, id: Id, at: At = None) -> None:
    """Show a session: its state, the last messages, who has it."""
    client = connect(session)
    found = client.send_json(calls.get_session(agent_name(agent), id))
    if at is not None:
        then = client.send_json(calls.session_version(agent, id, at))
        if session.json:
            output.as_json(then)
            return
        found |= {name: then[name] for name in ("version", "state", "messages", "workspace")}
    elif session.json:
        output.as_json(found)
        return
    output.data(f"{output.style(f'{agent} {id}', 'bold')} version {found['version']}{_owner(found)}")
    output.data(output.style("state     ", "dim") + json.dumps(found["state"], indent=2, ensure_ascii=False))
    output.data(output.style("messages  ", "dim") + str(found["messages"]))
    after = max(0, found["messages"] - 5)
    for message in client.send_json(calls.session_messages(agent, id, after=after, version=at)):
        output.data(_line(message, 200))
    output.data(output.style("workspace ", "dim") + _files(found))
    output.data(output.style("used      ", "dim") + output.age(found["used_at"]))


def _owner(found: Mapping[str, Any]) -> str:
    if found["active_run"] is None:
        return ""
    waiting = found["open_runs"] - 1
    return f", run {found['active_run']} has it" + (f" and {waiting} wait" if waiting else "")


def messages(session: Session, agent: Agent, id: Id, at: At = None) -> None:
    """Print the messages of a session, oldest first."""
    client, after = connect(session), 0
    found: list[dict[str, Any]] = []
    while page := client.send_json(
        calls.session_messages(agent_name(agent), id, after=after, limit=500, version=at)
    ):
        after = page[-1]["seq"]
        if session.json:
            found += page
        else:
            for message in page:
                output.data(_line(message))
    if session.json:
        output.as_json(found)


def _line(message: Mapping[str, Any], limit: int | None = None) -> str:
    content = message["content"]
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    text = text.strip()
    if limit is not None and len(text) > limit:
        text = f"{text[:limit]}…"
    return (
        f"  {output.style(str(message['seq']).rjust(4), 'dim')} {output.style(message['role'], 'cyan')} {text}"
    )


def history(
    session: Session,
    agent: Agent,
    id: Id,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="At most this many.")] = 20,
) -> None:
    """List the versions of a session: who made each, when, and what changed."""
    page = connect(session).send_json(calls.session_history(agent_name(agent), id, limit=limit))
    if session.json:
        output.as_json(page)
        return
    headers = ("VERSION", "AGE", "WHY", "CHANGED", "MESSAGES", "BY", "RUN")
    output.table(headers, (_version(item) for item in page["items"]))
    output.more(page, limit)


def _version(item: Mapping[str, Any]) -> tuple[str, ...]:
    why = item["change"] + (f" (step {item['step']})" if item["step"] else "")
    changed, age = ", ".join(item["changed"]) or "-", output.age(item["at"])
    count, run = str(item["messages"]), item["run_id"] or "-"
    return (str(item["version"]), age, why, changed, count, item["actor"], run)


def restore(
    session: Session,
    agent: Agent,
    id: Id,
    to: Annotated[int, typer.Option("--to", min=1, metavar="VERSION", help="What it is to be again.")],
    force: Force = False,
) -> None:
    """Make a session what it was in a version."""
    done = connect(session).send_json(calls.restore_session(agent_name(agent), id, to, force))
    _told(session, done, f"{agent} {id} is as it was in version {to}; this is version {done['version']}")


def copy(
    session: Session,
    agent: Agent,
    id: Id,
    to: Annotated[str | None, typer.Argument(metavar="[NEW]", help="Id of the copy; made if absent.")] = None,
    at: At = None,
) -> None:
    """Make a session that begins as another one is, or was."""
    done = connect(session).send_json(calls.copy_session(agent_name(agent), id, to, at))
    if session.json:
        output.as_json(done)
    else:
        output.data(done["id"])


def delete(session: Session, agent: Agent, id: Id, force: Force = False) -> None:
    """Remove a session with all that it has; --force cancels its runs."""
    done = connect(session).send_json(calls.delete_session(agent_name(agent), id, force))
    cancelled = f"; cancelled: {', '.join(done['cancelled'])}" if done["cancelled"] else ""
    _told(session, done, f"{agent} {id} is gone{cancelled}")


def workspace(
    session: Session,
    agent: Agent,
    id: Id,
    file: Annotated[str | None, typer.Argument(metavar="[FILE]", help="Print this file.")] = None,
    download: Annotated[
        Path | None, typer.Option("--download", metavar="DIR", help="Put all of it into a new directory.")
    ] = None,
    upload: Annotated[
        Path | None, typer.Option("--upload", metavar="DIR", help="Make it what is in this directory.")
    ] = None,
    at: At = None,
    force: Force = False,
) -> None:
    """List the files of a session, print one, or move all of them."""
    if sum(each is not None for each in (file, download, upload)) > 1:
        raise UsageError("one of FILE, --download and --upload at a time")
    client, agent = connect(session), agent_name(agent)
    if file is not None:
        sys.stdout.buffer.write(client.sessions.read_file(agent, id, file, version=at))
        sys.stdout.buffer.flush()
    elif download is not None:
        with naming_files("cannot be written"):
            client.sessions.download(agent, id, download, version=at)
        _told(session, {"directory": str(download)}, f"the workspace is in {download}")
    elif upload is not None:
        with naming_files("cannot be read"):
            view = client.sessions.upload(agent, id, upload, version=at, force=force)
        _told(session, view.model_dump(mode="json"), f"the workspace is what {upload} was")
    else:
        _listing(session, client.send_json(calls.get_workspace(agent, id, at)))


def _listing(session: Session, found: Mapping[str, Any]) -> None:
    if session.json:
        output.as_json(found)
        return
    for entry in found["entries"]:
        target = (
            f" -> {_name(entry['target'])}"
            if entry["kind"] == "link"
            else "/"
            if entry["kind"] == "dir"
            else ""
        )
        size = output.size(entry["size"]) if entry["kind"] == "file" else "-"
        output.data(f"{entry['mode']:04o}  {size:>10}  {_name(entry['path'])}{target}")
    output.say(_amount(found))


def _name(path: str) -> str:
    """On one line, whatever is in it."""
    return path if path.isprintable() else json.dumps(path, ensure_ascii=False)


def _amount(found: Mapping[str, Any]) -> str:
    files = f"{found['files']} file{'s' if found['files'] != 1 else ''}"
    return f"{files}, {output.size(found['bytes'])}"


def _told(session: Session, value: object, words: str) -> None:
    if session.json:
        output.as_json(value)
    else:
        output.say(words)
