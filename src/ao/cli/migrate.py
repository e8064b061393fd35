"""`ao migrate`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ao.cli import exits, output
from ao.cli.server import HomeOption, overrides
from ao.cli.session import Session
from ao.domain.errors import UsageError
from ao.settings import from_environment

if TYPE_CHECKING:
    from ao.wiring.migrating import Plan, Step


def migrate(
    session: Session,
    show: Annotated[bool, typer.Option("--plan", help="Show what is left to be done; the default.")] = False,
    pre: Annotated[
        bool, typer.Option("--pre", help="Add what this version needs; the earlier version goes on beside it.")
    ] = False,
    post: Annotated[
        bool, typer.Option("--post", help="Remove what only earlier versions needed, when none is at work.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Exit with 1 when a pre part is left to be done.")
    ] = False,
    home: HomeOption = None,
) -> None:
    """Upgrade the database of AO_DATABASE_URL, or of the home.

    Servers and workers carry out the pre part by themselves when they start, unless AO_MIGRATE is off. The post
    part is carried out by this command alone.
    """
    if sum((show, pre, post, check)) > 1:
        raise UsageError("--plan, --pre, --post and --check exclude each other")
    settings = from_environment(overrides(home))
    # Only this command pays for what migrations need.
    from ao.wiring import migrating  # noqa: PLC0415

    done: list[Step] = []
    if pre or post:
        migrated = migrating.migrate(settings, "pre" if pre else "post")
        done, left = [*migrated.done], migrated.left
    else:
        left = migrating.plan(settings)
    if session.json:
        output.as_json(_document(left, done))
    else:
        _tell(left, done)
    if check and (left.pre or left.found is None):
        raise typer.Exit(exits.FAILED)


def _document(left: "Plan", done: "list[Step]") -> dict[str, Any]:
    found = left.found
    return {
        "schema": None if found is None else found.schema,
        "schema_known": left.head,
        "min_reader": None if found is None else found.min_reader,
        "done": _steps(done),
        "pre": _steps(left.pre),
        "post": _steps(left.post),
        "beside": left.beside,
        "min_reader_after_pre": left.min_reader_pre,
        "min_reader_after_post": left.min_reader_post,
    }


def _steps(steps: "Any") -> list[dict[str, str]]:
    return [{"revision": step.revision, "summary": step.summary} for step in steps]


def _tell(left: "Plan", done: "list[Step]") -> None:
    for step in done:
        output.data(f"done  {step.revision}  {step.summary}")
    for name, steps in (("pre", left.pre), ("post", left.post)):
        for step in steps:
            output.data(f"{name:<5} {step.revision}  {step.summary}")
    if left.found is None:
        output.say("the database is empty: it is made by the first server, or by `ao migrate --pre`")
        return
    found = left.found
    output.say(f"schema {found.schema}; programs of schema {found.min_reader} and later may work on it")
    if left.pre and left.beside:
        output.next_step("ao migrate --pre (earlier versions go on meanwhile)")
    elif left.pre:
        output.say(f"programs older than schema {left.min_reader_pre} cannot go on beside it: stop them first")
        output.next_step("ao migrate --pre")
    elif left.post:
        output.next_step("ao migrate --post, when no earlier version is at work any more")
