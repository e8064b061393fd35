"""What a request about a run asks for."""

from collections.abc import Mapping
from datetime import UTC, datetime

from ao.clock import from_datetime
from ao.control.logs import LogSearch
from ao.control.replays import Made
from ao.dashboard.frame import Visit
from ao.domain.errors import NotFound, UsageError
from ao.ids import RunId
from ao.store.records import Run


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
    """What the form above a log asks for. Raises UsageError."""
    stream = query.get("stream") or None
    if stream not in (None, "stdout", "stderr"):
        raise UsageError("stream is stdout or stderr")
    return LogSearch(
        query.get("q", "")[:1000],
        query.get("regex", "") == "true",
        stream=stream,
        since_us=_instant(query, "since") or 0,
        until_us=_instant(query, "until"),
    )


def searches(query: Mapping[str, str]) -> bool:
    """Whether that form asks for anything."""
    return any(query.get(name) for name in ("q", "stream", "since", "until"))


def _instant(query: Mapping[str, str], name: str) -> int | None:
    """A time as browsers send it; without a zone it is UTC, as the page without scripts shows times."""
    text = query.get(name, "").strip()
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return from_datetime(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{name} is not a time", hint="such as 2026-11-26T09:30:00") from error


def with_warning(made: Made, source: Run) -> str:
    """The page of a new run, which says that other code has recorded its steps, where it has."""
    return f"/runs/{made.run.id}" + (f"?recorded_by={source.version}" if made.warnings else "")


def recorded_by(visit: Visit) -> int | None:
    """The version that recorded the steps of the run, when the page was asked for by `with_warning`."""
    text = visit.query.get("recorded_by", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def short(run_id: str) -> str:
    """The end of an id: the part that differs between runs of one minute."""
    return run_id[-8:]
