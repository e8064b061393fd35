"""The reference of the `ao` command, from the command itself."""

from collections.abc import Iterator
from typing import Any

from ao.cli.exits import MEANING
from ao.cli.registry import COMMANDS, Entry, load


def commands() -> str:
    text: list[str] = []
    panel = ""
    for name, entry in COMMANDS.items():
        if entry.panel != panel:
            panel = entry.panel
            text += [f"## {panel}", ""]
        text += _group(name, entry) if entry.subcommands else _command(name, entry)
    return "\n".join(text)


def exit_status() -> str:
    rows = [f"| {status} | {meaning} |" for status, meaning in MEANING.items()]
    return "\n".join(["| status | meaning |", "|---|---|", *rows])


def _group(name: str, entry: Entry) -> Iterator[str]:
    yield from (f"### `ao {name}`", "", entry.summary, "")
    for child, child_entry in (entry.subcommands or {}).items():
        yield from _command(f"{name} {child}", child_entry)


def _command(path: str, entry: Entry) -> Iterator[str]:
    command = load(path.rpartition(" ")[2], entry)
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option"]
    usage = " ".join(["ao", path, *(_usage(p) for p in arguments), "[options]"])
    yield from (f"### `ao {path}`", "", f"```console\n$ {usage}\n```", "", _paragraphs(command.help), "")
    rows = [f"| `{_usage(p)}` | {_cell(p)} |" for p in arguments if p.help]
    rows += [f"| `{', '.join([*p.opts, *p.secondary_opts])}{_value(p)}` | {_cell(p)} |" for p in options]
    yield from ("| | |", "|---|---|", *rows, "")


def _usage(argument: Any) -> str:
    name = argument.metavar or argument.name.upper()
    return name if argument.required else f"[{name.strip('[]')}]"


def _value(option: Any) -> str:
    if option.is_flag:
        return ""
    return f" {option.metavar or option.name.upper()}"


def _cell(param: Any) -> str:
    return str(param.help or "").replace("|", "\\|")


def _paragraphs(text: str | None) -> str:
    return "\n\n".join(part.replace("\n", " ").strip() for part in (text or "").split("\n\n"))
