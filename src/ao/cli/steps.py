"""Steps of a run as lines for people."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from ao.cli import output

MAX_SHOWN = 200
_STYLE = {
    "completed": ("✓", "green"),
    "failed": ("✗", "red"),
    "started": ("▸", "cyan"),
    "waiting": ("?", "yellow"),
}


def tree(steps: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """One line for each step, below the one it is inside of. Steps are plain JSON, in the API's order."""
    steps = list(steps)
    paths = {step["path"] for step in steps}
    inside: dict[str | None, list[Mapping[str, Any]]] = {}
    for step in steps:  # a fork has recorded steps inside of one that it begins anew: they are older
        inside.setdefault(step["parent"] if step["parent"] in paths else None, []).append(step)
    for number, (depth, step) in enumerate(_walk(inside, None, 0)):
        if number == MAX_SHOWN:
            yield output.style(f"  … {len(paths) - MAX_SHOWN} more (--json shows all)", "dim")
            return
        yield _line(depth, step)


def _walk(
    inside: Mapping[str | None, list[Mapping[str, Any]]], parent: str | None, depth: int
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for step in inside.get(parent, ()):
        yield depth, step
        yield from _walk(inside, step["path"], depth + 1)


def _line(depth: int, step: Mapping[str, Any]) -> str:
    glyph, colour = _STYLE[step["state"]]
    facts = [] if step["kind"] == "step" else [str(step["kind"])]
    if step["finished_at"] is not None:
        started, finished = (datetime.fromisoformat(step[name]) for name in ("started_at", "finished_at"))
        facts.append(output.duration((finished - started).total_seconds()))
    if step["attempt"] > 1:
        facts.append(f"attempt {step['attempt']}")
    error = f": {step['error']['message']}" if step["error"] else ""
    name = step["path"].rpartition("/")[2]
    shown = output.style(glyph, colour) + f" {name}" + output.style(error, "red")
    more = output.style(f" ({', '.join(facts)})", "dim") if facts else ""
    return f"  {'  ' * depth}{shown}{more}"


def event_line(kind: str, data: Mapping[str, Any]) -> str:
    """A line for an event of a step; empty for one that is not worth a line."""
    if data.get("kind") == "span":
        return ""
    path = str(data["path"])
    if kind == "step_completed":
        return (
            output.style("  ✓ ", "green")
            + path
            + output.style(f" ({output.duration(data['duration_us'] / 1e6)})", "dim")
        )
    if kind == "step_failed":
        return output.style(f"  ✗ {path}: {data['error']['message']}", "red")
    if kind == "step_retried":
        wait = output.duration(data["delay_seconds"])
        return output.style(f"  ↻ {path} again in {wait}: {data['error']['message']}", "yellow")
    return output.style(f"  ▸ {path}", "dim")
