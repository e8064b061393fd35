"""`ao doctor`."""

from typing import TYPE_CHECKING, Literal

import typer

from ao.cli import exits, output
from ao.cli.session import Session

if TYPE_CHECKING:
    from ao.wire.schemas import CheckView

_GLYPHS: dict[Literal["ok", "warning", "failed"], tuple[str, str]] = {
    "ok": ("✓", "green"),
    "warning": ("!", "yellow"),
    "failed": ("✗", "red"),
}


def doctor(session: Session) -> None:
    """Check this machine and the server.

    Works without a server, too. Exits with 1 when a check has failed.
    """
    if not session.json:
        output.say(output.style("checking this machine and the server", "dim"))
    # After the first line: the checks import most of AO.
    from ao.cli import checks  # noqa: PLC0415

    found: list[CheckView] = []
    for check in checks.ALL:
        for result in check(session):
            found.append(result)
            if not session.json:
                _print(result)
    failed = sum(result.status == "failed" for result in found)
    values = checks.values()
    if session.json:
        sizes = checks.sizes(session)
        output.as_json({"ok": not failed, "checks": found, "settings": values, "sizes": sizes})
    elif values:
        output.data()
        output.table(("SETTING", "VALUE", "FROM"), (list(value.values()) for value in values))
    if failed and not session.json:
        output.say(output.style(f"{failed} failed", "red", "bold"))
    if failed:
        raise typer.Exit(exits.FAILED)


def _print(check: "CheckView") -> None:
    glyph, colour = _GLYPHS[check.status]
    output.data(f"{output.style(glyph, colour, 'bold')} {check.name:<10} {check.message}")
    if check.hint and check.status != "ok":
        output.data(f"  {'':<10} {output.style(check.hint, 'dim')}")
