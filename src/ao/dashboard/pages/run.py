"""One run: what happened, why, and what to do about it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response
from starlette.routing import Route

from ao.control.waiting import why_pending
from ao.dashboard.frame import Frame, Visit, redirect
from ao.dashboard.loglines import causes_of, shown_lines
from ao.dashboard.navigation import Crumb
from ao.dashboard.pages.asked import number, recorded_by, run_id_of, search_of, searches, short
from ao.dashboard.sentences import sentence
from ao.dashboard.spans import rows_of
from ao.dashboard.waterfall import MAX_ROWS, draw
from ao.domain.errors import InvalidInput, NotFound
from ao.domain.step import StepKind
from ao.store.records import Payload, Run
from ao.wire.schemas import LogLine, LogMatches

LAST_LINES = 500
"""Of the log; they are in the page without scripts."""
FOLD_LINES = 30
"""A longer value is folded."""


@dataclass(frozen=True, slots=True)
class Value:
    """A JSON value on the page."""

    name: str
    text: str | None
    """None: it is too large to be shown."""
    is_long: bool


@dataclass(frozen=True, slots=True)
class Log:
    """What the page has of the log: its end, or what a visitor without scripts searched for."""

    lines: Sequence[LogLine] = ()
    matches: LogMatches | None = None
    error: str = ""


class RunPages:
    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._services = frame.services

    def routes(self) -> list[Route]:
        page, action = self._frame.page, self._frame.action
        return [
            page("/runs/{run_id}", self.run, "get_run", holds=True),
            page("/runs/{run_id}/input.json", self.input, "get_run"),
            page("/runs/{run_id}/output.json", self.output, "get_run"),
            action("/runs/{run_id}/cancel", self.cancel, "cancel_run"),
        ]

    async def run(self, visit: Visit) -> Response:
        """Three reads: the run with its attempts and what it waits for, its steps, the end of its log. Live
        parts need no log."""
        store = self._services.store
        detail = await store.runs.detail(run_id_of(visit))
        run, attempts = detail.run, detail.attempts
        visit.hold("get_run", run.agent)
        only_parts = "ao-part" in visit.request.headers
        is_new = run.head.attempt == 0
        limit = number(visit, "rows", MAX_ROWS)
        steps = [] if is_new else await store.steps.list(run.id, limit + MAX_ROWS)
        log = Log() if is_new or only_parts else await self._log(visit, run)
        why = why_pending(run, detail.waiting) if detail.waiting else None
        return self._frame.render(
            visit,
            "run.html",
            title=f"{run.agent} {short(run.id)}",
            section="runs",
            crumbs=[Crumb("Runs", "/runs"), Crumb(run.agent, f"/runs?agent={run.agent}")],
            run=run,
            attempts=attempts,
            sentence=sentence(run, attempts, why),
            picture=draw(rows_of(run, attempts, steps), visit.now_us, limit),
            has_steps=any(step.kind is not StepKind.SPAN for step in steps),
            values=await self._values(run),
            log=log,
            lines=shown_lines(log.lines, attempts),
            found=shown_lines(log.matches.items if log.matches else (), attempts),
            search=visit.query,
            recorded_by=recorded_by(visit),
            after=log.lines[-1].seq if log.lines else run.last_seq,
            causes=json.dumps(causes_of(attempts)),
            cancel_command=f"ao cancel {run.id}",
            logs_command=f"ao logs {run.id}" + ("" if run.head.state.terminal else " -f"),
        )

    async def _log(self, visit: Visit, run: Run) -> Log:
        logs, wrong = self._services.logs, ""
        if searches(visit.query):
            try:
                return Log(matches=await logs.search(run.id, search_of(visit.query), 0, LAST_LINES))
            except InvalidInput as error:
                wrong = error.message
        return Log(await logs.last(run.id, LAST_LINES), error=wrong)

    async def _values(self, run: Run) -> list[Value]:
        values = [self._value("Input", run.input)]
        if run.output is not None:
            values.append(self._value("Output", run.output))
        return values

    def _value(self, name: str, payload: Payload) -> Value:
        if payload.inline is None:
            return Value(name, None, True)
        text = json.dumps(json.loads(payload.inline), indent=2, ensure_ascii=False)
        text = text.encode("utf-8", "replace").decode()
        return Value(name, text, text.count("\n") >= FOLD_LINES or len(text) > 100 * FOLD_LINES)

    async def input(self, visit: Visit) -> Response:
        run = await self._services.runs.get(run_id_of(visit))
        return await self._download(run, run.input, "input")

    async def output(self, visit: Visit) -> Response:
        run = await self._services.runs.get(run_id_of(visit))
        if run.output is None:
            raise NotFound(f"run {run.id} has no output", hint="only a completed run has one")
        return await self._download(run, run.output, "output")

    async def _download(self, run: Run, payload: Payload, name: str) -> Response:
        value = await self._services.runs.payload(payload)
        text = json.dumps(value, indent=2)
        headers = {"content-disposition": f'attachment; filename="{run.agent}-{short(run.id)}-{name}.json"'}
        return Response(text, headers=headers, media_type="application/json")

    async def cancel(self, visit: Visit) -> Response:
        run = await self._services.runs.cancel(run_id_of(visit), visit.actor)
        return redirect(f"/runs/{run.id}")
