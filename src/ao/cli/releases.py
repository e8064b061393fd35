"""`ao agents`, `ao deployments`, `ao diff`, `ao rollback`.

Answers are read as plain JSON: the models would double the time to the first line.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from ao.cli import output
from ao.cli.connect import connect
from ao.cli.session import Session
from ao.cli.values import agent_name, version_number
from ao.client import calls

AgentName = Annotated[str, typer.Argument(help="Name of the agent.")]


def agents(session: Session) -> None:
    """List the agents."""
    found = connect(session).send_json(calls.list_agents())
    if session.json:
        output.as_json(found)
        return
    if not found:
        output.say("no agents")
        output.next_step("ao init NAME, then ao deploy NAME")
        return
    output.table(("AGENT", "LIVE", "LAST GOOD", "LATEST", "AGE"), (_agent(item) for item in found))


def _agent(item: Mapping[str, Any]) -> tuple[str, ...]:
    versions = (_version(item[pointer]) for pointer in ("stable", "last_good", "latest"))
    return (str(item["name"]), *versions, output.age(item["created_at"]))


def deployments(
    session: Session,
    agent: AgentName,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="At most this many.")] = 20,
) -> None:
    """List an agent's versions."""
    page = connect(session).send_json(calls.list_deployments(agent_name(agent), limit, None))
    if session.json:
        output.as_json(page)
        return
    header = ("VERSION", "STATUS", "START", "ARTIFACT", "AGE", "BY", "MESSAGE")
    output.table(header, (_row(item) for item in page["items"]))
    output.more(page, limit)


def _row(item: Mapping[str, Any]) -> tuple[str, ...]:
    status = output.state("live" if item["live"] else item["status"])
    digest = (item["digest"] or "-").removeprefix("sha256:")[:12]
    message = (item["error"] or item["message"]).partition("\n")[0]
    warm = item.get("warm") or {"state": "-", "why_cold": None}
    start = {"ready": "warm"}.get(warm["state"], warm["state"])
    if warm["why_cold"]:
        message = f"{message} ({start}: {warm['why_cold']})".strip()
    age = output.age(item["created_at"])
    return (_version(item["version"]), status, start, digest, age, item["actor"], message)


def diff(
    session: Session,
    agent: AgentName,
    before: Annotated[str, typer.Argument(metavar="V1", help="Version, such as v1.")],
    after: Annotated[str, typer.Argument(metavar="V2", help="Version, such as v2.")],
) -> None:
    """Show what differs between two versions, part by part."""
    numbers = version_number(before), version_number(after)
    found = connect(session).send_json(calls.diff(agent_name(agent), *numbers))
    if session.json:
        output.as_json(found)
        return
    if found["same"]:
        output.say(f"{agent} v{numbers[0]} and v{numbers[1]} are the same artifact")
        return
    for part in found["parts"]:
        for line in _part(part):
            output.data(line)


def _part(part: Mapping[str, Any]) -> Iterator[str]:
    name = f"{part['part']:<8}"
    if part["change"] == "same":
        yield output.style(f"{name} same", "dim")
        return
    yield f"{output.style(name, 'bold')} {output.style(part['change'], 'yellow')}"
    for file in part["files"]:
        note = " (binary)" if file["binary"] else ""
        yield f"  {file['change']} {file['path']}{note}"
        lines = (line for line in file["diff"].splitlines() if not line.startswith(("---", "+++")))
        yield from (f"    {_coloured(line)}" for line in lines)


def _coloured(line: str) -> str:
    colours = {"+": "green", "-": "red", "@": "cyan"}
    colour = colours.get(line[:1])
    return output.style(line, colour) if colour else line


def rollback(
    session: Session,
    agent: AgentName,
    to: Annotated[
        str | None, typer.Option("--to", metavar="V", help="Version; default: the last good one.")
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Kept in the history.")] = "",
) -> None:
    """Make an earlier version live again.

    Moves a pointer: nothing is rebuilt. Runs in flight stay on their version; runs that wait take the new one.
    """
    done = connect(session).send_json(
        calls.rollback(agent_name(agent), version_number(to) if to else None, reason)
    )
    if session.json:
        output.as_json(done)
        return
    after, before = _version(done["move"]["to"]), _version(done["move"]["from"])
    output.say(f"{agent} {after} is {output.state('live')} again (was {before})")
    output.say(f"restored: {', '.join(done['restored'])}")
    output.say(f"not restored: {', '.join(done['not_restored'])}")
    output.next_step(f"ao run {agent} (ao rollback {agent} --to {before} undoes this)")


def _version(number: int | None) -> str:
    return f"v{number}" if number else "-"
