"""The commands, and how each is loaded: only the module of the command that was typed is imported."""

import difflib
import functools
import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from ao.cli.session import Session
from ao.domain.errors import UsageError

START, RELEASE, RUN, OPERATE = "Start", "Release", "Run", "Operate"


@dataclass(frozen=True, slots=True)
class Entry:
    """One command. A function's first parameter is the `Session` when `connects`."""

    module: str
    function: str
    panel: str
    summary: str
    """Shown in listings; the same as the first line of the function's docstring."""
    connects: bool = True
    """It speaks to the server and therefore takes `--url`."""
    subcommands: "Mapping[str, Entry] | None" = None
    default: str = ""
    """The subcommand that is meant when none is named."""


_SECRETS = {
    "set": Entry(
        "ao.cli.secrets", "set_secret", OPERATE, "Store a secret; the value comes from a prompt or stdin."
    ),
    "list": Entry(
        "ao.cli.secrets", "list_secrets", OPERATE, "List names and versions; values are never shown."
    ),
    "rm": Entry("ao.cli.secrets", "remove_secret", OPERATE, "Remove a secret."),
}

_KEYS = {
    "create": Entry("ao.cli.keys", "create", OPERATE, "Make an API key; it is shown once."),
    "list": Entry("ao.cli.keys", "list_keys", OPERATE, "List the API keys: roles, scopes, last use."),
    "revoke": Entry("ao.cli.keys", "revoke", OPERATE, "End an API key."),
}

_WEBHOOKS = {
    "list": Entry("ao.cli.webhooks", "list_webhooks", OPERATE, "List deliveries of webhooks, newest first."),
    "show": Entry("ao.cli.webhooks", "show", OPERATE, "Show a delivery and every try."),
    "replay": Entry("ao.cli.webhooks", "replay", OPERATE, "Deliver once more, with the same id."),
}

_WORKERS = {
    "list": Entry(
        "ao.cli.fleet", "list_workers", OPERATE, "List what workers have and do, and why runs wait for them."
    ),
    "drain": Entry(
        "ao.cli.fleet", "drain", OPERATE, "Let a worker take nothing more; it ends when its runs have ended."
    ),
}

_SESSIONS = {
    "list": Entry("ao.cli.sessions", "list_sessions", RUN, "List sessions, last used first."),
    "show": Entry("ao.cli.sessions", "show", RUN, "Show a session: its state, the last messages, who has it."),
    "messages": Entry("ao.cli.sessions", "messages", RUN, "Print the messages of a session, oldest first."),
    "history": Entry(
        "ao.cli.sessions",
        "history",
        RUN,
        "List the versions of a session: who made each, when, and what changed.",
    ),
    "restore": Entry("ao.cli.sessions", "restore", RUN, "Make a session what it was in a version."),
    "copy": Entry("ao.cli.sessions", "copy", RUN, "Make a session that begins as another one is, or was."),
    "delete": Entry(
        "ao.cli.sessions", "delete", RUN, "Remove a session with all that it has; --force cancels its runs."
    ),
    "workspace": Entry(
        "ao.cli.sessions", "workspace", RUN, "List the files of a session, print one, or move all of them."
    ),
}

_ASSISTANTS = {
    "list": Entry(
        "ao.cli.assistants",
        "list_assistants",
        RELEASE,
        "List the assistants; every agent has one of its own name.",
    ),
    "show": Entry(
        "ao.cli.assistants",
        "show",
        RELEASE,
        "Show an assistant: what it runs, its input schema and what it overrides.",
    ),
    "create": Entry(
        "ao.cli.assistant_edit",
        "create",
        RELEASE,
        "Make an assistant: a name for an agent's release with other settings.",
    ),
    "update": Entry(
        "ao.cli.assistant_edit",
        "update",
        RELEASE,
        "Change an assistant: its next version, which its name means from then on.",
    ),
    "history": Entry(
        "ao.cli.assistants",
        "history",
        RELEASE,
        "Show what an assistant's name has meant: since when, because of whom and why.",
    ),
    "set-latest": Entry(
        "ao.cli.assistants",
        "set_latest",
        RELEASE,
        "Let an assistant's name mean a version that is there already.",
    ),
    "diff": Entry(
        "ao.cli.assistants",
        "diff",
        RELEASE,
        "Show what differs between two versions of an assistant, field by field.",
    ),
    "delete": Entry("ao.cli.assistants", "delete", RELEASE, "Archive an assistant: nothing new runs on it."),
}

_DLQ = {
    "ls": Entry(
        "ao.cli.dlq", "list_letters", RUN, "List runs that failed for good, grouped by what went wrong."
    ),
    "replay": Entry(
        "ao.cli.dlq",
        "replay",
        RUN,
        "Make new runs of dead letters: of those named, or of all of an agent's or of one kind.",
    ),
    "purge": Entry(
        "ao.cli.dlq",
        "purge",
        RUN,
        "Forget old dead letters and what their runs have recorded; the runs themselves stay.",
    ),
}


def _schedules(function: str, summary: str) -> Entry:
    return Entry("ao.cli.schedules", function, OPERATE, summary)


_SCHEDULES = {
    "list": _schedules("list_schedules", "List the schedules: when next, and what became of the last tick."),
    "show": _schedules("show", "Show a schedule with its policies and its input."),
    "create": _schedules(
        "create", "Make a schedule: runs of an agent's live version, at the times of a cron expression."
    ),
    "update": _schedules("update", "Change a schedule; what is not named stays as it is."),
    "rm": _schedules("remove", "Remove a schedule; its runs go on."),
    "pause": _schedules(
        "pause", "Stop a schedule's ticks; a declared one stays paused through deploys and rollbacks."
    ),
    "resume": _schedules("resume", "Go on with the next tick; those of the pause are not made up for."),
    "trigger": _schedules("trigger", "Make a run now, also while the schedule is paused."),
    "backfill": _schedules("backfill", "Make the runs of past ticks that have none."),
    "history": _schedules("history", "Show what became of each tick, newest first."),
    "next": _schedules("next_ticks", "Show the next ticks, in UTC and in the schedule's time zone."),
}

_IMAGE = {
    "build": Entry(
        "ao.cli.image",
        "build",
        OPERATE,
        "Build a container image of AO, alone or with an agent.",
        connects=False,
    ),
}

_EXPORT = {
    "compose": Entry(
        "ao.cli.export",
        "compose",
        OPERATE,
        "Write a stack for Docker Compose: server, workers, Postgres, Redis.",
        connects=False,
    ),
}


def _own(module: str, function: str, summary: str, panel: str = OPERATE) -> Entry:
    """A command that speaks to no server."""
    return Entry(f"ao.cli.{module}", function, panel, summary, connects=False)


COMMANDS: Mapping[str, Entry] = {
    "init": Entry("ao.cli.init", "init", START, "Make a new agent that runs at once.", connects=False),
    "up": Entry("ao.cli.server", "up", START, "Start AO on this machine.", connects=False),
    "down": Entry(
        "ao.cli.server", "down", START, "Stop the AO that runs in the home directory.", connects=False
    ),
    "server": _own("fleet", "server", "Serve, build and schedule; workers execute the runs.", START),
    "worker": _own("fleet", "worker", "Execute runs of the database that servers share.", START),
    "dashboard": Entry("ao.cli.dashboard", "dashboard", START, "Print a link that logs in to the dashboard."),
    "doctor": Entry("ao.cli.doctor", "doctor", START, "Check this machine and the server."),
    "version": Entry("ao.cli.version", "version", START, "Print the version.", connects=False),
    "proto": Entry("ao.cli.proto", "proto", START, "Write the .proto files of the gRPC API.", connects=False),
    "completion": Entry(
        "ao.cli.completion", "completion", START, "Print a shell's completion script.", connects=False
    ),
    "deploy": Entry("ao.cli.deploy", "deploy", RELEASE, "Build a project and make it the live version."),
    "deployments": Entry("ao.cli.releases", "deployments", RELEASE, "List an agent's versions."),
    "diff": Entry("ao.cli.releases", "diff", RELEASE, "Show what differs between two versions, part by part."),
    "rollback": Entry("ao.cli.releases", "rollback", RELEASE, "Make an earlier version live again."),
    "agents": Entry("ao.cli.releases", "agents", RELEASE, "List the agents."),
    "assistants": Entry(
        "ao.cli.assistants",
        "",
        RELEASE,
        "Manage assistants: named, versioned settings over a release.",
        subcommands=_ASSISTANTS,
    ),
    "run": Entry("ao.cli.run", "run", RUN, "Start a run of an agent, or of an assistant."),
    "runs": Entry("ao.cli.runs", "runs", RUN, "List runs, newest first."),
    "show": Entry("ao.cli.runs", "show", RUN, "Show a run: state, attempts, error, input and output."),
    "logs": Entry("ao.cli.logs", "logs", RUN, "Print what a run wrote to stdout and stderr."),
    "cancel": Entry("ao.cli.runs", "cancel", RUN, "Stop a run."),
    "fork": Entry("ao.cli.dlq", "fork", RUN, "Start a new run that begins in the middle of an old one."),
    "dlq": Entry("ao.cli.dlq", "", RUN, "Runs that failed for good: list, replay, purge.", subcommands=_DLQ),
    "sessions": Entry(
        "ao.cli.sessions", "", RUN, "What persists between runs: state, messages, files.", subcommands=_SESSIONS
    ),
    "questions": Entry("ao.cli.questions", "questions", RUN, "List what runs wait for people to answer."),
    "answer": Entry("ao.cli.questions", "answer", RUN, "Answer what a run asks, and let it go on."),
    "schedules": Entry(
        "ao.cli.schedules", "", OPERATE, "Make, pause, use and follow schedules.", subcommands=_SCHEDULES
    ),
    "secrets": Entry(
        "ao.cli.secrets", "", OPERATE, "Manage the secrets that agents name.", subcommands=_SECRETS
    ),
    "keys": Entry("ao.cli.keys", "", OPERATE, "Manage the API keys.", subcommands=_KEYS),
    "audit": Entry("ao.cli.audit", "audit", OPERATE, "Show who changed what, when and from where."),
    "webhooks": Entry("ao.cli.webhooks", "", OPERATE, "See and repeat webhooks.", subcommands=_WEBHOOKS),
    "workers": Entry(
        "ao.cli.fleet",
        "",
        OPERATE,
        "See the workers and why runs wait for them; take one out.",
        subcommands=_WORKERS,
        default="list",
    ),
    "backup": _own("backups", "backup", "Copy a home: database, blobs and keys; its server may run."),
    "restore": _own("backups", "restore", "Make a home of a backup; every byte is checked."),
    "migrate": _own("migrate", "migrate", "Upgrade the database of AO_DATABASE_URL, or of the home."),
    "health": _own("health", "health", "Say whether the AO process of this home is well."),
    "image": Entry("ao.cli.image", "", OPERATE, "Container images of AO and of agents.", subcommands=_IMAGE),
    "export": Entry(
        "ao.cli.export", "", OPERATE, "Files with which other systems run AO.", subcommands=_EXPORT
    ),
    "gc": Entry("ao.cli.operate", "gc", OPERATE, "Remove environments and files that nothing uses any more."),
}


class _QuickHelp:
    """Gives `--help` a default: Typer then has no need to import pydantic (0.1 s) to coerce its absence."""

    def get_help_option(self, ctx: Any) -> Any:
        option = super().get_help_option(ctx)  # type: ignore[misc]
        if option is not None:
            option.default = False
        return option


class _Command(_QuickHelp, TyperCommand):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for param in self.params:
            param._runtime_param = _QuickParam()  # type: ignore[attr-defined]


class _QuickParam:
    """Passes on what needs no coercion: nothing, text, defaults. The rest is Typer's and imports pydantic."""

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        if param.nargs == 1 and not param.multiple:
            is_text = isinstance(value, str) and param.type_descriptor.annotation is str
            if value is None or is_text or (type(value) is type(param.default) and value == param.default):
                return value
        param._runtime_param = None
        return param.get_runtime_param().coerce(value, param=param, ctx=ctx)


class LazyGroup(_QuickHelp, TyperGroup):
    """A group that lists its commands from the registry and imports one only to execute it."""

    entries: Mapping[str, Entry] = COMMANDS
    default = ""

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        named = bool(args) and (args[0] == "--help" or not args[0].startswith("-"))
        return super().parse_args(ctx, args if named or not self.default else [self.default, *args])

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.entries)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """For listings: name and summary only."""
        entry = self.entries.get(cmd_name)
        return entry and _Command(cmd_name, help=entry.summary)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """One section per panel. Plain text: Rich would more than double the time to the first line."""
        panels: dict[str, list[tuple[str, str]]] = {}
        for name, entry in self.entries.items():
            panels.setdefault(entry.panel, []).append((name, entry.summary))
        for panel, rows in panels.items():
            with formatter.section(panel):
                formatter.write_dl(rows)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name: str = args[0]
        if name not in self.entries and not name.startswith("-"):
            near = difflib.get_close_matches(name, self.entries, n=1)
            hint = (
                f"did you mean `{ctx.command_path} {near[0]}`?"
                if near
                else f"{ctx.command_path} --help lists them"
            )
            raise UsageError(f"there is no command {name!r}", hint=hint)
        _, listed, rest = super().resolve_command(ctx, args)
        return name, load(name, self.entries[name]) if listed is not None else None, rest


def root() -> Any:
    """The `ao` command."""
    app = typer.Typer(cls=LazyGroup, add_completion=False, no_args_is_help=True, rich_markup_mode=None)
    app.callback()(_about)
    command = typer.main.get_command(app)
    command.name = "ao"
    return command


def prepare_completion() -> None:
    """Teach Typer the shells; only a shell that asks for completions needs it."""
    from typer._completion_classes import completion_init  # noqa: PLC0415

    completion_init()


def _about() -> None:
    """Release, run and watch AI agents in production, on your own machines."""


def load(name: str, entry: Entry) -> Any:
    """The command itself; imports its module."""
    kind = type("Group", (LazyGroup,), {"entries": entry.subcommands or {}, "default": entry.default})
    app = typer.Typer(cls=kind, add_completion=False, no_args_is_help=True, rich_markup_mode=None)
    if entry.subcommands is not None:
        app.callback(help=entry.summary)(lambda: None)
    else:
        function = getattr(importlib.import_module(entry.module), entry.function)
        app.command(name, cls=_Command)(_with_shared_options(function, entry.connects))
    command = typer.main.get_command(app)
    command.name = name
    return command


_Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
_Url = Annotated[
    str | None, typer.Option("--url", metavar="URL", help="The server; default: AO_URL, then the home.")
]


def _with_shared_options(function: Callable[..., None], connects: bool) -> Callable[..., None]:
    """`function(session, …)` as a command that also takes `--json` and, if it connects, `--url`."""

    @functools.wraps(function)
    def command(ctx: typer.Context, **values: Any) -> None:
        session: Session = ctx.obj
        session.json = values.pop("as_json")
        session.url = values.pop("url", None)
        function(session, **values)

    signature = inspect.signature(function)
    keyword = inspect.Parameter.KEYWORD_ONLY
    shared = [inspect.Parameter("as_json", keyword, default=False, annotation=_Json)]
    if connects:
        shared.append(inspect.Parameter("url", keyword, default=None, annotation=_Url))
    context = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    own = [p.replace(kind=keyword) for p in list(signature.parameters.values())[1:]]
    parameters = [context, *own, *shared]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command
