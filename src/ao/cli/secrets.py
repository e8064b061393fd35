"""`ao secrets`. Values come from a prompt or stdin: other users can read a command line."""

import getpass
import shlex
import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from ao.cli import output
from ao.cli.connect import connect
from ao.cli.session import Session
from ao.client import calls
from ao.domain.errors import InvalidInput, UsageError

Name = Annotated[str, typer.Argument(help="Name of the variable, such as API_TOKEN.")]
ForAgent = Annotated[str | None, typer.Option("--agent", metavar="NAME", help="Only for this agent.")]


def set_secret(session: Session, name: Name, agent: ForAgent = None) -> None:
    """Store a secret; the value comes from a prompt or stdin."""
    view = connect(session).send_json(calls.set_secret(name, _value(name), agent))
    if session.json:
        output.as_json(view)
    else:
        output.say(f"{name} is stored (version {view['version']}); runs that start from now on get it")


def _value(name: str) -> str:
    """Without the line end that `echo` adds."""
    text = getpass.getpass(f"{name}: ") if sys.stdin.isatty() else sys.stdin.read().removesuffix("\n")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise InvalidInput(
            "the value is not UTF-8 text", hint=f"encode it: base64 FILE | ao secrets set {shlex.quote(name)}"
        )
    if not text:
        raise UsageError(
            "the value is empty", hint=f"type it at the prompt, or: ao secrets set {shlex.quote(name)} < FILE"
        )
    return text


def list_secrets(session: Session, agent: ForAgent = None) -> None:
    """List names and versions; values are never shown."""
    found = connect(session).send_json(calls.list_secrets(agent))
    if session.json:
        output.as_json(found)
        return
    if not found:
        output.say("no secrets")
        output.next_step("ao secrets set NAME")
        return
    output.table(("NAME", "FOR", "VERSION", "SET", "BY"), (_row(item) for item in found))


def _row(item: Mapping[str, Any]) -> tuple[str, ...]:
    age = output.age(item["updated_at"])
    return (item["name"], item["agent"] or "all agents", str(item["version"]), age, item["actor"])


def remove_secret(session: Session, name: Name, agent: ForAgent = None) -> None:
    """Remove a secret."""
    connect(session).delete_secret(name, agent)
    if session.json:
        output.as_json({"removed": name, "agent": agent})
    else:
        output.say(f"{name} is removed; runs that name it fail until it is set again")
