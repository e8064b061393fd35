"""The entry point of `ao`: parses, executes, and turns every error into a message and an exit status."""

import os
import re
import sys
import traceback
from collections.abc import Sequence

from typer import Abort
from typer.exceptions import TyperException

from ao.cli import exits, follow, output
from ao.cli.registry import prepare_completion, root
from ao.cli.session import Session
from ao.domain.errors import AoError, InternalError, InvalidConfig, RunFailed, Unauthenticated, UsageError


def main(argv: Sequence[str] | None = None) -> None:
    """Never returns: ends the process with a status of `ao.cli.exits`."""
    args = list(sys.argv[1:] if argv is None else argv)
    if args[:1] == ["--version"]:
        args[0] = "version"
    elif args[:1] == ["help"]:
        args = [*args[1:], "--help"]
    output.configure(colour=not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb")
    session = Session(json="--json" in args)
    if "_AO_COMPLETE" in os.environ:
        prepare_completion()
    try:
        status = root().main(args, prog_name="ao", standalone_mode=False, obj=session) or exits.OK
    except (Exception, KeyboardInterrupt) as error:
        status = _report(error, session)
    if status == exits.INTERRUPTED and session.on_interrupt:
        output.say(session.on_interrupt)
    sys.exit(status)


def _report(error: BaseException, session: Session) -> int:
    """Print the error and answer with its exit status."""
    known: AoError
    match error:
        case KeyboardInterrupt() | Abort():
            return exits.INTERRUPTED
        case Unauthenticated():
            known = Unauthenticated(error.message, hint=session.key_hint, details=error.details)
        case AoError():
            known = error
        case TyperException():
            # An empty message stands for "no command was given": the help is on the screen already.
            if not error.format_message() or type(error).__name__ == "NoArgsIsHelpError":
                error.show()  # type: ignore[attr-defined]
                return exits.USAGE
            known = UsageError(_plain(error.format_message()), hint=_help_of(error))
        case PermissionError(filename=str(file)):
            hint = "see who owns it, and as whom this command runs"
            known = InvalidConfig(f"{file} cannot be used: {error.strerror}", hint=hint)
        case _:
            traceback.print_exception(error, file=sys.stderr)
            known = InternalError(
                f"{type(error).__name__}: {error}", hint="please report this with the traceback"
            )
    if session.json:
        output.as_json(_document(known))
    else:
        _tell(known)
    return exits.status_of(known)


def _help_of(error: TyperException) -> str:
    context = getattr(error, "ctx", None)
    return f"{context.command_path if context else 'ao'} --help lists what it takes"


def _plain(message: str) -> str:
    """The parser's words without those of the validator below it, and with arguments named as in the help."""
    message = message.replace(": Value error, ", ": ").replace(": Input should be ", ": must be ")
    return re.sub(r"^Missing argument '(\w+)'", lambda found: f"Missing argument {found[1].upper()}", message)


def _document(error: AoError) -> dict[str, object]:
    problems = [
        {"field": p.field, "message": p.message, "hint": p.hint, "line": p.line} for p in error.problems
    ]
    return {
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "details": error.details,
        "problems": problems,
    }


def _tell(error: AoError) -> None:
    output.say(f"{output.style('error:', 'red', 'bold')} {output.shortened(error.message)}")
    file = "ao.toml:" if isinstance(error, InvalidConfig) else "line "
    for problem in error.problems:
        if problem.message in error.message:
            continue
        where = f"{file}{problem.line}: " if problem.line else ""
        named = problem.message.startswith((f"{problem.field}:", f"{problem.field} "))
        name = f"{problem.field}: " if problem.field and not named else ""
        hint = f" ({problem.hint})" if problem.hint else ""
        output.say(f"  {where}{name}{problem.message}{hint}")
    failure = error.details.get("error") if isinstance(error, RunFailed) else None
    if isinstance(failure, dict) and failure.get("traceback"):
        for line in follow.traceback_of(str(failure["traceback"])):
            output.say(line)
    if error.hint:
        output.say(f"{output.style('hint:', 'cyan')} {error.hint}")
