"""`ao keys`."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from ao.cli import output
from ao.cli.connect import connect
from ao.cli.session import Session
from ao.cli.values import seconds
from ao.client import calls
from ao.domain.access import Role
from ao.domain.errors import NotFound, UsageError


def create(
    session: Session,
    name: Annotated[str, typer.Argument(help="Name; shown with what the key changes.")],
    role: Annotated[Role, typer.Option("--role", help="What it may do; docs/access.md has the table.")],
    agent: Annotated[
        list[str] | None, typer.Option("--agent", metavar="NAME", help="Only for this agent; may be repeated.")
    ] = None,
    expires: Annotated[
        str | None, typer.Option("--expires", metavar="TIME", help="Ends after this time, such as 30d.")
    ] = None,
) -> None:
    """Make an API key; it is shown once.

    The server keeps a hash only. The key is the one line on stdout.
    """
    lifetime = seconds(expires) if expires else None
    made = connect(session).send_json(calls.create_key(name, role.value, agent or (), lifetime))
    if session.json:
        output.as_json(made)
        return
    key = made["key"]
    output.say(f"{name} is {_may(key)}{_until(key)}; this is the only time that the key is shown:")
    output.data(made["secret"])
    output.next_step(f"AO_API_KEY=… ao runs (`ao keys revoke {name}` ends the key)")


def _may(key: Mapping[str, Any]) -> str:
    return f"{key['role']} of {', '.join(key['agents']) or 'all agents'}"


def _until(key: Mapping[str, Any]) -> str:
    return f" and ends {output.age(key['expires_at'])}" if key["expires_at"] else ""


def list_keys(
    session: Session,
    revoked: Annotated[bool, typer.Option("--revoked", help="Revoked ones, too.")] = False,
) -> None:
    """List the API keys: roles, scopes, last use."""
    found = [
        key for key in connect(session).send_json(calls.list_keys()) if revoked or key["revoked_at"] is None
    ]
    if session.json:
        output.as_json(found)
        return
    headers = ("ID", "NAME", "ROLE", "AGENTS", "LAST USED", "ENDS", "AGE", "BY")
    output.table(headers, (_row(key) for key in found))


def _row(key: Mapping[str, Any]) -> tuple[str, ...]:
    ends = output.style("revoked", "red") if key["revoked_at"] else output.age(key["expires_at"])
    used, age = output.age(key["last_used_at"]), output.age(key["created_at"])
    scope = ", ".join(key["agents"]) or "all"
    return (key["id"], key["name"], key["role"], scope, used, ends, age, key["actor"] or "-")


def revoke(session: Session, key: Annotated[str, typer.Argument(help="Name or id of the key.")]) -> None:
    """End an API key.

    Servers refuse it within seconds. The entry stays, and in the audit log what was done with it.
    """
    client = connect(session)
    alive = [entry for entry in client.send_json(calls.list_keys()) if entry["revoked_at"] is None]
    found = [entry for entry in alive if key in (entry["name"], entry["id"])]
    if not found:
        raise NotFound(f"there is no API key {key!r}", hint="`ao keys list` shows them")
    if len(found) > 1:
        ids = ", ".join(entry["id"] for entry in found)
        raise UsageError(f"{len(found)} keys are called {key!r}", hint=f"name one by its id: {ids}")
    ended = client.send_json(calls.revoke_key(found[0]["id"]))
    if session.json:
        output.as_json(ended)
    else:
        output.say(f"{ended['name']} is revoked; servers refuse it within seconds")
