"""`ao assistants create` and `update`, from options and from files."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from ao.cli import output
from ao.cli.assistants import Message, Name
from ao.cli.connect import connect
from ao.cli.session import Session
from ao.cli.values import agent_name, naming_files, run_input, version_number
from ao.client import assistant_calls as calls
from ao.domain.errors import InvalidInput, UsageError

Document = dict[str, Any]

_File = Annotated[
    Path | None,
    typer.Option("--file", "-f", metavar="FILE", help="The whole assistant, as TOML or JSON; options win."),
]
_Environment = Annotated[
    str | None, typer.Option("--environment", metavar="ENV", help="Follow what is live there; default: prod.")
]
_Version = Annotated[str | None, typer.Option("--version", metavar="V", help="Pin this deployment.")]
_Description = Annotated[str | None, typer.Option("--description", metavar="TEXT", help="What it is for.")]
_Schema = Annotated[
    str | None, typer.Option("--input-schema", metavar="JSON", help="JSON Schema of the input: JSON or @FILE.")
]
_Model = Annotated[
    list[str] | None, typer.Option("--model", metavar="ALIAS=PIN", help="Another pin; may be repeated.")
]
_Prompt = Annotated[
    list[str] | None,
    typer.Option("--prompt", metavar="PATH=TEXT", help="Another text, or @FILE; may be repeated."),
]
_Retries = Annotated[int | None, typer.Option("--retries", min=0, max=1000, help="Retries after a failure.")]
_Timeout = Annotated[str | None, typer.Option("--timeout", metavar="TIME", help="For each attempt: 30s, 5m.")]
_RunTimeout = Annotated[str | None, typer.Option("--run-timeout", metavar="TIME", help="For the whole run.")]
_StepTimeout = Annotated[str | None, typer.Option("--step-timeout", metavar="TIME", help="For each step.")]
_Memory = Annotated[str | None, typer.Option("--memory", metavar="SIZE", help="Limit, such as 512M.")]
_Env = Annotated[
    list[str] | None,
    typer.Option("--env", metavar="NAME=VALUE", help="Environment variable; may be repeated; not for secrets."),
]
_Meta = Annotated[
    list[str] | None, typer.Option("--metadata", metavar="KEY=TEXT", help="To find it by; may be repeated.")
]


def create(
    session: Session,
    name: Name,
    agent: Annotated[str | None, typer.Option("--agent", metavar="NAME", help="Whose release runs.")] = None,
    file: _File = None,
    environment: _Environment = None,
    version: _Version = None,
    description: _Description = None,
    input_schema: _Schema = None,
    model: _Model = None,
    prompt: _Prompt = None,
    retries: _Retries = None,
    timeout: _Timeout = None,
    run_timeout: _RunTimeout = None,
    step_timeout: _StepTimeout = None,
    memory: _Memory = None,
    env: _Env = None,
    metadata: _Meta = None,
    message: Message = "",
) -> None:
    """Make an assistant: a name for an agent's release with other settings.

    What the release does not have (a model alias, a prompt) is refused.
    """
    said = _said(
        environment, version, description, input_schema, model, prompt, retries, timeout, run_timeout,
        step_timeout, memory, env, metadata,
    )  # fmt: skip
    config = _merged(_read(file) if file else {}, said)
    _is_named(config.pop("name", name), name)
    whose = agent or config.pop("agent", None)
    config.pop("agent", None)
    if whose is None:
        raise UsageError("whose release is to run?", hint="name it: --agent NAME; `ao agents` lists them")
    made = connect(session).send_json(calls.create_assistant(name, agent_name(whose), config, message))
    _tell(session, made, f"{name} v{made['version']} runs {made['agent']}")


def update(
    session: Session,
    name: Name,
    file: _File = None,
    environment: _Environment = None,
    version: _Version = None,
    unpin: Annotated[bool, typer.Option("--unpin", help="Follow what is live again.")] = False,
    description: _Description = None,
    input_schema: _Schema = None,
    model: _Model = None,
    prompt: _Prompt = None,
    retries: _Retries = None,
    timeout: _Timeout = None,
    run_timeout: _RunTimeout = None,
    step_timeout: _StepTimeout = None,
    memory: _Memory = None,
    env: _Env = None,
    metadata: _Meta = None,
    unset: Annotated[
        list[str] | None,
        typer.Option("--unset", metavar="OVERRIDE", help="Such as timeout or models.fast; may be repeated."),
    ] = None,
    message: Message = "",
) -> None:
    """Change an assistant: its next version, which its name means from then on.

    Options change what they name; --file is the whole assistant, so that what it does not say is removed.
    """
    client = connect(session)
    there = client.send_json(calls.get_assistant(agent_name(name)))
    said = _said(
        environment, version, description, input_schema, model, prompt, retries, timeout, run_timeout,
        step_timeout, memory, env, metadata,
    )  # fmt: skip
    changes = _merged(_replacing(there["config"], _read(file), name, there["agent"]) if file else {}, said)
    if unpin:
        changes["version"] = None
    for path in unset or ():
        changes = _merged(changes, {"overrides": _removal(path)})
    if not changes:
        raise UsageError("nothing is to be changed", hint="name a setting or a --file; --help lists them")
    changed = client.send_json(calls.update_assistant(name, changes, message, there["version"]))
    if changed["version"] == there["version"]:
        _tell(session, changed, f"{name} v{changed['version']} says that already")
    else:
        _tell(session, changed, f"{name} is v{changed['version']} now")


def _tell(session: Session, view: Mapping[str, Any], words: str) -> None:
    if session.json:
        output.as_json(view)
        return
    output.say(words)
    output.next_step(f"ao run {view['name']}")


def _said(
    environment: str | None,
    version: str | None,
    description: str | None,
    input_schema: str | None,
    model: Sequence[str] | None,
    prompt: Sequence[str] | None,
    retries: int | None,
    timeout: str | None,
    run_timeout: str | None,
    step_timeout: str | None,
    memory: str | None,
    env: Sequence[str] | None,
    metadata: Sequence[str] | None,
) -> Document:
    """What options say, as a part of an assistant."""
    prompts = {path: _text(value) for path, value in _pairs("--prompt", prompt).items()}
    overrides = {
        "models": _pairs("--model", model),
        "prompts": prompts,
        "retries": None if retries is None else {"max_retries": retries},
        "timeout": timeout,
        "run_timeout": run_timeout,
        "step_timeout": step_timeout,
        "resources": {"memory": memory} if memory else None,
        "env": _pairs("--env", env),
    }
    config = {
        "environment": environment,
        "version": version_number(version) if version else None,
        "description": description,
        "input_schema": None if input_schema is None else run_input(input_schema),
        "metadata": _pairs("--metadata", metadata),
        "overrides": {name: value for name, value in overrides.items() if value not in (None, {})},
    }
    return {name: value for name, value in config.items() if value not in (None, {})}


def _pairs(option: str, given: Sequence[str] | None) -> dict[str, str]:
    found = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise UsageError(f"{option} {text!r} has no value", hint=f"write {option} NAME=VALUE")
        found[name] = value
    return found


def _text(value: str) -> str:
    if not value.startswith("@"):
        return value
    with naming_files("cannot be read"):
        return Path(value[1:]).read_text(encoding="utf-8")


def _read(file: Path) -> Document:
    """A file's assistant; a prompt may be `{file = "…"}`, beside it."""
    with naming_files("cannot be read"):
        text = file.read_text(encoding="utf-8")
    try:
        document = json.loads(text) if file.suffix == ".json" else tomllib.loads(text)
    except ValueError as error:
        kind = "JSON" if file.suffix == ".json" else "TOML"
        raise InvalidInput(f"{file} is not {kind}: {error}") from error
    if not isinstance(document, dict):
        raise InvalidInput(f"{file} must hold an object")
    overrides = document.get("overrides")
    prompts = overrides.get("prompts") if isinstance(overrides, dict) else None
    if not isinstance(prompts, dict):
        return document
    for path, prompt in prompts.items():
        if isinstance(prompt, dict) and set(prompt) == {"file"}:
            with naming_files("cannot be read"):
                prompts[path] = (file.parent / str(prompt["file"])).read_text(encoding="utf-8")
    return document


def _is_named(said: object, name: str) -> None:
    if said != name:
        raise UsageError(f"the file is of an assistant {said!r}, not {name!r}", hint="use one of both names")


def _replacing(there: Mapping[str, Any], wanted: Document, name: str, agent: str) -> Document:
    """The changes that make an assistant what a file says."""
    _is_named(wanted.pop("name", name), name)
    if wanted.pop("agent", agent) != agent:
        raise UsageError(f"{name} is an assistant of {agent}", hint="another agent needs another assistant")
    return _patch(there, wanted)


def _patch(before: Mapping[str, Any], after: Mapping[str, Any]) -> Document:
    """The merge patch from one to the other."""
    changes: Document = {key: None for key in before if key not in after}
    for key, value in after.items():
        old: Any = before.get(key)
        changes[key] = _patch(old, value) if _is_merged(key, old, value) else value
    return changes


def _removal(path: str) -> Document:
    """Of an override, or of one entry in it."""
    field, dot, entry = path.removeprefix("overrides.").partition(".")
    return {field: {entry: None}} if dot else {field: None}


def _merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> Document:
    """Both; what both say is what the second says."""
    merged = dict(first)
    for key, value in second.items():
        old: Any = merged.get(key)
        merged[key] = _merged(old, value) if _is_merged(key, old, value) else value
    return merged


def _is_merged(key: str, old: object, new: object) -> bool:
    """A schema is replaced as a whole."""
    return key != "input_schema" and isinstance(old, dict) and isinstance(new, dict)
