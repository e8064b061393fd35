"""What a request about a run asks for."""

from collections.abc import Mapping

from ao.control.logs import LogSearch
from ao.dashboard.frame import Visit
from ao.domain.errors import NotFound, UsageError
from ao.ids import RunId


def run_id_of(visit: Visit) -> RunId:
    """The run that the path names. Raises NotFound for what cannot be an id."""
    text = visit.path["run_id"]
    if len(text) != 36 or not text.isascii():
        raise NotFound(f"There is no run {text}.", hint="`ao runs` lists them.")
    return RunId(text)


def number(visit: Visit, name: str, otherwise: int) -> int:
    """A number of the query. Raises UsageError."""
    text = visit.query.get(name, str(otherwise))
    if not (text.isascii() and text.isdigit() and len(text) <= 16):
        raise UsageError(f"{name} is not a number")
    return int(text)


def search_of(query: Mapping[str, str]) -> LogSearch:
    """What the form above a log asks for."""
    stream = query.get("stream") or None
    if stream not in (None, "stdout", "stderr"):
        raise UsageError("stream is stdout or stderr")
    return LogSearch(query.get("q", "")[:1000], query.get("regex", "") == "true", stream=stream)


def short(run_id: str) -> str:
    """The end of an id: the part that differs between runs of one minute."""
    return run_id[-8:]
