"""A run's events as lines for people."""

import json
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ao.cli import output, steps
from ao.client import calls
from ao.domain.tracebacks import place_of, shortened

if TYPE_CHECKING:
    from ao.client.api import Client
    from ao.client.handles import RunHandle
    from ao.wire.schemas import EventView

_FIRST_EVENTS = 20
"""Among them is the start of the first attempt, if it has started."""

_MARKS = {"partial": " ⏎ missing", "cut": " ✂ cut", "dropped": " ✂ dropped"}


def event_lines(event: "EventView") -> list[str]:
    """What is worth a line; attempts and logs say more than the states between them."""
    data: dict[str, Any] = event.data
    match event.kind.value:
        case "attempt_started":
            # Once is loud enough: later attempts have the same gaps, and their level says so.
            gaps = data["degraded"] if data["attempt"] == 1 else ()
            lines = [_mark("▸", f"attempt {data['attempt']} on v{data['version']}, sandbox {data['sandbox']}")]
            return lines + [gap_line(gap) for gap in gaps]
        case "attempt_finished":
            return [_attempt_end(data)]
        case "log":
            return list(_log_lines(data))
        case "truncated":
            gone = f"history truncated: events {data['from']} to {event.seq} are removed"
            return [output.style(f"  {gone}", "yellow")]
        case "output":
            return [f"» {json.dumps(data['value'], ensure_ascii=False)}"]
        case "step_started" | "step_completed" | "step_failed" | "step_retried" as kind:
            line = steps.event_line(kind, data)
            return [line] if line else []
        case "question_asked":
            mark = output.style("  ? ", "yellow", "bold")
            return [f"{mark}{data['text']} (it waits for an answer: ao questions)"]
        case "question_answered":
            return [output.style(f"  ✓ answered by {data['by']}", "green")]
        case "question_timed_out":
            return [output.style("  ✗ nobody answered in time", "yellow")]
        case "cancel_requested":
            return [output.style(f"  {data['actor']} stops it", "yellow")]
        case "state" if data.get("reason") == "sleeping":
            return [output.style(f"  sleeps {_delay(event).removeprefix('in ')}", "dim")]
        case "state" if data.get("reason") == "retry":
            return [output.style(f"  retry {_delay(event)}", "yellow")]
        case _:
            return []


def gap_line(gap: str) -> str:
    return f"  {output.style('NOT ENFORCED', 'red', 'bold')} {gap}"


def gaps_of(client: "Client", run_id: str) -> Sequence[str]:
    """What was not enforced, as the first attempt that started says; nothing when none has."""
    events = client.send_json(calls.run_events(run_id, limit=_FIRST_EVENTS))
    starts = (event for event in events if event["kind"] == "attempt_started")
    return next((list(event["data"]["degraded"]) for event in starts), [])


def _log_lines(data: dict[str, Any]) -> Iterable[str]:
    for line in data["lines"]:
        yield log_line(line[1], data["stream"], line[2] if len(line) > 2 else None)


def log_line(text: str, stream: str, mark: str | None) -> str:
    """One line of output: stderr is set apart, and what is not as it was printed is marked."""
    shown = output.style("│ ", "red" if stream == "stderr" else "dim") + text
    return shown + output.style(_MARKS.get(mark or "", ""), "yellow") if mark else shown


def _attempt_end(data: dict[str, Any]) -> str:
    took = output.duration(data["duration_us"] / 1e6)
    if data["kind"] == "paused":
        return output.style(f"‖ attempt {data['attempt']} paused after {took}", "yellow")
    if data["kind"] == "completed":
        return output.style(f"✓ attempt {data['attempt']} completed in {took}", "green")
    error = data.get("error") or {}
    place = place_of(error.get("traceback", ""))
    message = output.shortened(error.get("message", data["kind"]))
    text = f"✗ attempt {data['attempt']} failed after {took}: {message}"
    return output.style(text + (f" ({place})" if place else ""), "red")


def _delay(event: "EventView") -> str:
    due = event.data.get("due_at")
    if due is None:
        return "at once"
    return f"in {output.duration((datetime.fromisoformat(str(due)) - event.at).total_seconds())}"


def _mark(glyph: str, text: str) -> str:
    return output.style(glyph, "cyan", "bold") + " " + text


def bound_to_end(run: "RunHandle", as_json: bool, *, quiet: bool) -> None:
    """`until_end`, but the run is cancelled when this process ends before it. `quiet` prints nothing."""
    events = run.events(on_disconnect="cancel")
    if quiet:
        for _ in events:
            pass
    else:
        _show(events, output.say, as_json)


def until_end(run: "RunHandle", timeout: float | None, as_json: bool) -> None:
    """Print events as they come: lines on stderr, or with JSON one document per line on stdout.

    Raises WaitTimeout after `timeout` seconds.
    """
    if timeout is None:
        _show(run.events(), output.say, as_json)
        return
    # The stream may be silent for long, so it is read beside the wait; a timeout ends the process and it.
    reader = threading.Thread(target=_show, args=(run.events(), output.say, as_json), daemon=True)
    reader.start()
    run.wait(timeout)
    reader.join(timeout=5.0)


def _show(events: "Iterable[EventView]", write: Callable[[str], None], as_json: bool) -> None:
    for event in events:
        if as_json:
            output.json_line(event)
            continue
        for line in event_lines(event):
            write(line)


def traceback_of(text: str, lines: int = 12) -> Sequence[str]:
    """The end of a traceback, which says what happened, with paths as they are in the project."""
    end = shortened(text).rstrip().splitlines()[-lines:]
    return [output.style(f"  {output.shortened(line)}", "dim") for line in end]
