"""What runs printed: in order, from the end, and searched."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import re2

from ao.domain.errors import InvalidInput, Problem
from ao.domain.event import Event
from ao.domain.terminal import plain
from ao.ids import RunId
from ao.store import Store
from ao.wire.lines import log_lines
from ao.wire.schemas import LogLine, LogMatch, LogMatches

MAX_CHARACTERS = 8 << 20
"""Of log lines in one answer; an agent decides how much it prints."""
MAX_SEARCHED_CHARACTERS = 32 << 20
"""One search looks through this much, then says how far it came."""
LINE_OVERHEAD = 100
EVENTS_PER_READ = 100
AFTER_ALL = 2**53
MAX_SPANS = 100
"""In one line."""


@dataclass(frozen=True, slots=True)
class LogSearch:
    text: str = ""
    """Empty: every line."""
    regex: bool = False
    """RE2 syntax: no pattern takes more than linear time."""
    case: bool = False
    """Upper and lower case differ."""
    stream: str | None = None
    since_us: int = 0
    until_us: int | None = None
    """Lines before this instant."""


class Logs:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def after(self, run_id: RunId, seq: int) -> Sequence[LogLine]:
        """The lines above a seq in order, all of an event or none, as many as fit into `MAX_CHARACTERS`: go on
        after the last line's seq until there are none."""
        kept: list[LogLine] = []
        size = 0
        async for event in self._forward(run_id, seq, 0):
            lines = log_lines(event.seq, event.data)
            kept += lines
            size += _size(lines)
            if size > MAX_CHARACTERS:
                break
        return kept

    async def last(
        self, run_id: RunId, count: int, *, before: int = AFTER_ALL, after: int = 0
    ) -> Sequence[LogLine]:
        """The last `count` lines between two seqs in order, about as many as fit into `MAX_CHARACTERS`."""
        found: list[LogLine] = []
        size = 0
        while len(found) < count and size < MAX_CHARACTERS:
            room = MAX_CHARACTERS - size
            events, more = await self._store.logs.backward(run_id, before, count, room)
            for event in events:
                if event.seq <= after or len(found) >= count:
                    return found[:count][::-1]
                lines = log_lines(event.seq, event.data)
                found += reversed(lines)
                size += _size(lines)
            if not more:
                break
            before = events[-1].seq
        return found[:count][::-1]

    async def search(self, run_id: RunId, search: LogSearch, after: int, limit: int) -> LogMatches:
        """Lines above a seq that match, in order: those of an event come together, until there are `limit`.

        Raises InvalidInput when the pattern is none.
        """
        pattern = _compiled(search)
        items: list[LogMatch] = []
        searched = 0
        async for event in self._forward(run_id, after, search.since_us):
            after = event.seq
            if search.stream is None or event.data["stream"] == search.stream:
                lines = log_lines(event.seq, event.data)
                searched += _size(lines)
                times: Any = event.data["lines"]
                in_time = [line for line, raw in zip(lines, times, strict=True) if _in_time(raw[0], search)]
                items += (match for line in in_time if (match := _match(line, pattern)) is not None)
            if len(items) >= limit or searched > MAX_SEARCHED_CHARACTERS:
                return LogMatches(items=items, last_seq=after, complete=False)
        return LogMatches(items=items, last_seq=after, complete=True)

    async def _forward(self, run_id: RunId, after: int, since_us: int) -> AsyncIterator[Event]:
        while True:
            events = await self._store.logs.forward(run_id, after, since_us, EVENTS_PER_READ)
            for event in events:
                yield event
            if len(events) < EVENTS_PER_READ:
                return
            after = events[-1].seq
            await asyncio.sleep(0)  # others get their turn, whatever the size of this run


def _size(lines: Sequence[LogLine]) -> int:
    return sum(len(line.text) + LINE_OVERHEAD for line in lines)


def _in_time(at_us: int, search: LogSearch) -> bool:
    return at_us >= search.since_us and (search.until_us is None or at_us < search.until_us)


def _compiled(search: LogSearch) -> Any:
    """RE2, because a user's pattern on the server must not be able to take exponential time."""
    options = re2.Options()
    options.case_sensitive = search.case
    options.log_errors = False
    try:
        return re2.compile(search.text if search.regex else re2.escape(search.text), options)
    except re2.error as error:
        said = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error.args[0])
        problem = Problem("q", f"is not a regular expression: {said}", "the syntax is that of RE2")
        raise InvalidInput(f"q {problem.message}", hint=problem.hint, problems=[problem]) from error


def _match(line: LogLine, pattern: Any) -> LogMatch | None:
    text = plain(line.text).encode("utf-8", "replace").decode()
    spans: list[tuple[int, int]] = []
    found = False
    for match in pattern.finditer(text):
        found = True
        if match.start() < match.end():
            spans.append(match.span())
        if len(spans) == MAX_SPANS:
            break
    if not found:
        return None
    return LogMatch.model_construct(**{**line.__dict__, "text": text, "spans": spans})
