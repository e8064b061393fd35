"""What the commands print: data on stdout, talk on stderr; colour only on a terminal, never with NO_COLOR."""

import json
import re
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TextIO

_CODES = {"red": 31, "green": 32, "yellow": 33, "blue": 34, "cyan": 36, "bold": 1, "dim": 2}
_STATES = {
    "completed": "green",
    "succeeded": "green",
    "delivered": "green",
    "ok": "green",
    "live": "green",
    "failed": "red",
    "cancelled": "yellow",
    "warning": "yellow",
    "running": "cyan",
    "building": "cyan",
    "pending": "blue",
    "paused": "yellow",
    "holds": "yellow",
}
_SGR = re.compile(r"\x1b\[[0-9;]*m")
_CONTROL = re.compile(r"\x1b(?!\[[0-9;]*m)|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]")

_LEAST_LAST = 20
"""Columns that the last one of a table wants at least, before it moves to a second line."""

MOST_LISTED = 1000
"""Of what `-n` takes."""

_colour_wanted = True


def configure(*, colour: bool) -> None:
    """Called once at the start: False with NO_COLOR and on dumb terminals."""
    global _colour_wanted  # noqa: PLW0603 - the process has one stdout
    _colour_wanted = colour


def data(text: str = "") -> None:
    """One line of data."""
    _write(sys.stdout, text)


def say(text: str = "") -> None:
    """One line of talk."""
    _write(sys.stderr, text)


def _write(stream: TextIO, text: str) -> None:
    """What agents print may not drive the user's terminal: only colours pass, and only to one."""
    if stream.isatty():
        text = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)
    if not (_colour_wanted and stream.isatty()):
        text = _SGR.sub("", text)
    stream.write(text + "\n")
    stream.flush()


def style(text: str, *names: str) -> str:
    """`text` with colours and weights such as `red`, `bold`, `dim`."""
    codes = ";".join(str(_CODES[name]) for name in names)
    return f"\x1b[{codes}m{text}\x1b[0m" if codes else text


def state(word: str) -> str:
    """A state or status in its colour; failures bold."""
    colour = _STATES.get(word)
    return style(word, *([colour] if colour else []), *(["bold"] if word == "failed" else []))


def next_step(command: str) -> None:
    """The command that usually comes next."""
    say(style("Next: ", "dim") + command)


def as_json(value: object) -> None:
    """`value` (a model, or lists and dicts of models) as one JSON document on stdout."""
    data(json.dumps(_plain(value), indent=2 if sys.stdout.isatty() else None))


def json_line(value: object) -> None:
    """`value` as one line, for streams of many."""
    data(json.dumps(_plain(value)))


def _plain(value: object) -> object:
    dump = getattr(value, "model_dump", None)
    if dump is not None:
        return dump(mode="json", by_alias=True)
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Columns on stdout, aligned by what is visible; the last one is not padded.

    On a terminal that is too narrow, the columns that do not fit go to a second line of each row, and the
    last one is cut. Pipes get whole rows.
    """
    lines = [list(headers), *(list(row) for row in rows)]
    widths = [max(len(_visible(line[column])) for line in lines) for column in range(len(headers))]
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize
    folds = _folds(widths, room)
    for number, line in enumerate(lines):
        for first, after in folds:
            cells = [
                _padded(cell, width) for cell, width in zip(line[first:after], widths[first:after], strict=True)
            ]
            text = ("    " if first else "") + "  ".join(cells).rstrip()
            if after == len(headers):
                text = _cut(text, room)
            if text.strip() or not first:
                data(style(text, "dim") if number == 0 else text)


def more(page: Mapping[str, Any], limit: int) -> None:
    """That a list does not end with what is shown of it."""
    if page["next"]:
        say(f"there are more: -n {min(limit * 2, MOST_LISTED)}" if limit < MOST_LISTED else "there are more")


def _folds(widths: Sequence[int], room: int) -> Sequence[tuple[int, int]]:
    """First and after-last column of each line of a row; the last column is cut, so it needs little room."""
    folds, first, used = [], 0, 0
    for column, width in enumerate(widths):
        needed = min(width, _LEAST_LAST) if column == len(widths) - 1 else width
        if column > first and used + 2 + needed > room:
            folds.append((first, column))
            first, used = column, 4 + needed
        else:
            used += needed + (2 if column > first else 0)
    return [*folds, (first, len(widths))]


def _padded(cell: str, width: int) -> str:
    return cell + " " * (width - len(_visible(cell)))


def _cut(text: str, room: int) -> str:
    """At most `room` visible characters; what is cut loses its style."""
    return text if len(_visible(text)) <= room else _visible(text)[: max(1, room - 1)] + "…"


def shortened(text: str, most: int = 1000) -> str:
    """What agents say of themselves may be long; `--json` has all of it."""
    return text if len(text) <= most else f"{text[:most]}… ({len(text):,} characters; --json shows all)"


def _visible(cell: str) -> str:
    return _SGR.sub("", cell)


def age(moment: datetime | str | None) -> str:
    """How long ago, or until when, such as `3m ago`, `in 2h`; `-` for none. Text is ISO 8601."""
    if moment is None:
        return "-"
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    seconds = (datetime.now(UTC) - moment).total_seconds()
    text = duration(abs(seconds))
    return f"{text} ago" if seconds >= 0 else f"in {text}"


def duration(seconds: float) -> str:
    """Two significant parts at most: `12ms`, `3.4s`, `5m 2s`, `2h 5m`, `3d`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes}m {rest}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes}m" if hours < 48 else f"{round(seconds / 86_400)}d"


def size(amount: int) -> str:
    """Bytes for people, in powers of 1024."""
    value = float(amount)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024 or unit == "GiB":
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    raise AssertionError("unreachable")


def clock(moment: datetime) -> str:
    """Local time of day with milliseconds, for log lines."""
    return moment.astimezone().strftime("%H:%M:%S.%f")[:-3]
