"""What people type, as values."""

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ao.domain.errors import InvalidInput, NotFound, Problem, UsageError


@contextmanager
def naming_files(what: str) -> Iterator[None]:
    """A file of the user's that the system refuses is named, not reported as a defect."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            raise
        raise InvalidInput(f"{error.filename} {what}: {error.strerror}") from error


def version_number(text: str) -> int:
    """`3` or `v3`."""
    match = re.fullmatch(r"v?([1-9]\d{0,8})", text.strip(), re.IGNORECASE)
    if match is None:
        raise UsageError(
            f"{text!r} is not a version", hint="versions are written v3 or 3; `ao deployments` lists them"
        )
    return int(match[1])


def agent_name(text: str) -> str:
    """Checked here, because only people mistype names."""
    if re.fullmatch(r"[a-z0-9-]+", text) is None:
        raise NotFound(
            f"there is no agent {text!r}",
            hint="names are lower-case letters, digits and -; `ao agents` lists them",
        )
    return text


def run_id(text: str) -> str:
    """Checked here, because only people mistype ids."""
    if re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text.strip().lower()) is None:
        raise NotFound(
            f"there is no run {text!r}",
            hint="`ao runs` lists them; an id has 32 hexadecimal digits and 4 dashes",
        )
    return text.strip().lower()


_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def seconds(text: str) -> float:
    """A length of time such as `90s`, `15m`, `12h`, `30d`, `2w`."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", text.strip())
    if match is None or float(match[1]) == 0:
        raise UsageError(f"{text!r} is not a length of time", hint="write it as 90s, 15m, 12h, 30d or 2w")
    return float(match[1]) * _UNIT_SECONDS[match[2]]


def instant(text: str) -> str:
    """A moment as ISO 8601: as given, local time where no zone is, or how long ago, such as `2h`."""
    if re.fullmatch(r"\d+(\.\d+)?[smhdw]", text.strip()):
        return (datetime.now(UTC) - timedelta(seconds=seconds(text))).isoformat()
    try:
        return datetime.fromisoformat(text.strip()).astimezone().isoformat()
    except ValueError as error:
        raise UsageError(
            f"{text!r} is not a moment", hint="write 2026-11-20, 2026-11-20T14:30 or, for the past, 2h or 3d"
        ) from error


def run_input(text: str | None) -> object:
    """JSON as given, from `@file`, or from stdin with `-`; nothing is an empty object."""
    if text is None:
        return {}
    source, content = _content(text)
    if not content.strip():
        raise InvalidInput(f"{source} is empty", hint="give JSON, such as {}")
    try:
        value: object = json.loads(content)
    except ValueError as error:
        line = getattr(error, "lineno", None)
        raise InvalidInput(
            f"{source} is not JSON: {error}",
            hint="""quote it for the shell: -i '{"key": "value"}', or use -i @file.json""",
            problems=[Problem("input", str(error), line=line)],
        ) from error
    return value


def _content(text: str) -> tuple[str, str]:
    if text == "-":
        return "the input from stdin", sys.stdin.read()
    if text.startswith("@"):
        path = Path(text[1:])
        try:
            return str(path), path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise InvalidInput(f"the input file {path} cannot be read: {reason}") from error
    return "the input", text
