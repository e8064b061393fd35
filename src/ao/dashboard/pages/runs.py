"""The list of runs: filters in the URL, pages by key."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.responses import Response
from starlette.routing import Route

from ao.dashboard.formats import DAY, HOUR
from ao.dashboard.frame import Frame, Visit
from ao.dashboard.parameters import run_id_in, version_of
from ao.domain.run import RunState
from ao.ids import RunId
from ao.store.insights import RunPage, RunQuery

PAGE = 50
MAX_TEXT = 200
SPANS: Mapping[str, tuple[str, int]] = {
    "1h": ("Last hour", HOUR),
    "24h": ("Last 24 hours", DAY),
    "7d": ("Last 7 days", 7 * DAY),
    "30d": ("Last 30 days", 30 * DAY),
}


@dataclass(frozen=True, slots=True)
class Filters:
    """As they stand in the URL."""

    agent: str
    states: Sequence[str]
    version: str
    span: str
    text: str

    @property
    def any(self) -> bool:
        return bool(self.agent or self.states or self.version or self.span or self.text)

    def url(self, **more: str | None) -> str:
        """The path of the list with these filters."""
        pairs = [("agent", self.agent), *(("state", state) for state in self.states)]
        pairs += [("version", self.version), ("time", self.span), ("q", self.text)]
        pairs += [(name, value or "") for name, value in more.items()]
        query = urlencode([pair for pair in pairs if pair[1]])
        return f"/runs?{query}" if query else "/runs"


class RunListPages:
    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._store = frame.services.store

    def routes(self) -> list[Route]:
        return [self._frame.page("/runs", self.runs, "list_runs")]

    async def runs(self, visit: Visit) -> Response:
        filters = _filters(visit)
        query = _query(visit, filters)
        page = await self._store.insights.runs(query, PAGE)
        names = [agent.name for agent in await self._store.agents.list()]
        if visit.scope:
            names = [name for name in names if name in visit.scope]
        older, newer = _neighbours(query, page)
        return self._frame.render(
            visit,
            "runs.html",
            title="Runs",
            section="runs",
            filters=filters,
            command=_command(filters),
            names=names,
            states=[state.value for state in RunState],
            spans=[(name, label) for name, (label, _) in SPANS.items()],
            page=page,
            older=filters.url(before=older) if older else None,
            newer=filters.url(after=newer) if newer else None,
            is_first=query.older_than is None and query.newer_than is None,
        )


_NO_VERSION = 0
"""What is typed for a version and is none matches no run."""


def _filters(visit: Visit) -> Filters:
    query = visit.request.query_params
    known = {state.value for state in RunState}
    return Filters(
        agent=query.get("agent", ""),
        states=[state for state in dict.fromkeys(query.getlist("state")) if state in known],
        version=query.get("version", "").strip()[:12],
        span=query.get("time", "") if query.get("time", "") in SPANS else "",
        text=query.get("q", "").strip()[:MAX_TEXT],
    )


def _query(visit: Visit, filters: Filters) -> RunQuery:
    older = run_id_in(visit.query, "before")
    return RunQuery(
        agent=filters.agent or None,
        agents=() if filters.agent else visit.scope,
        states=[RunState(state) for state in filters.states],
        version=(version_of(filters.version) or _NO_VERSION) if filters.version else None,
        text=filters.text or None,
        since_us=visit.now_us - SPANS[filters.span][1] if filters.span else None,
        older_than=older,
        newer_than=None if older else run_id_in(visit.query, "after"),
    )


def _neighbours(query: RunQuery, page: RunPage) -> tuple[RunId | None, RunId | None]:
    """(where the page of older runs starts, where that of newer ones does); None where there are none."""
    if not page.runs:
        return (page.scanned_to if not query.newer_than else None), None
    first, last = page.runs[0].id, page.runs[-1].id
    if query.newer_than:
        return last, (page.scanned_to or first) if page.more else None
    return ((page.scanned_to or last) if page.more else None), (first if query.older_than else None)


def _command(filters: Filters) -> str:
    """The same list on the command line, as far as it has these filters: one agent, one state."""
    words = ["ao runs"]
    if filters.agent:
        words.append(f"--agent {filters.agent}")
    if len(filters.states) == 1:
        words.append(f"--state {filters.states[0]}")
    return " ".join(words)
