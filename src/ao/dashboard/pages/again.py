"""Running something again, with its input as it was or edited."""

import json
import shlex
from collections.abc import Sequence

from pydantic import JsonValue
from starlette.responses import Response
from starlette.routing import Route

from ao.dashboard.frame import Frame, Visit, redirect
from ao.dashboard.navigation import Crumb
from ao.dashboard.pages.asked import run_id_of, short
from ao.dashboard.parameters import json_in
from ao.domain.errors import InvalidInput, Problem
from ao.store.records import Run
from ao.wire.problems import status_of
from ao.wire.schemas import RunCreate

MAX_EDITED_CHARACTERS = 256 * 1024
"""A larger input is run again as it was, or by the command."""


class AgainPages:
    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._runs = frame.services.runs

    def routes(self) -> list[Route]:
        return [
            self._frame.page("/runs/{run_id}/again", self.form, "create_run"),
            self._frame.action("/runs/{run_id}/again", self.again, "create_run"),
        ]

    async def form(self, visit: Visit) -> Response:
        run = await self._runs.get(run_id_of(visit))
        text = json.dumps(await self._runs.payload(run.input), indent=2, ensure_ascii=False)
        if len(text) > MAX_EDITED_CHARACTERS:
            raise InvalidInput(
                "the input of this run is too large to be edited here",
                hint=f"download it from the run's page, edit it, then: ao run {run.agent} -i @input.json",
            )
        return self._show(visit, run, text.encode("utf-8", "replace").decode(), "", (), 200)

    async def again(self, visit: Visit) -> Response:
        run = await self._runs.get(run_id_of(visit))
        text, version = visit.form.get("input", ""), visit.form.get("version", "")
        try:
            value = json_in(text, "input")
            request = RunCreate.model_validate(
                {**target_of(run, same=version == "same"), "input": value, "priority": run.priority}
            )
            made, _ = await self._runs.create(request, visit.actor, run.lineage)
        except InvalidInput as error:
            problems = error.problems or (Problem("input", error.message, error.hint),)
            return self._show(visit, run, text, version, problems, status_of(error))
        return redirect(f"/runs/{made.id}")

    def _show(
        self, visit: Visit, run: Run, text: str, version: str, problems: Sequence[Problem], status: int
    ) -> Response:
        return self._frame.render(
            visit,
            "again.html",
            title="Run again",
            section="runs",
            crumbs=[Crumb("Runs", "/runs"), Crumb(f"{run.agent} {short(run.id)}", f"/runs/{run.id}")],
            status=status,
            run=run,
            text=text,
            version=version,
            problems=problems,
            command=run_command(run, text, same=version == "same"),
        )


def target_of(run: Run, *, same: bool) -> dict[str, JsonValue]:
    """What is to run again: of an agent or of an assistant, the version of then or of now, in its session."""
    if run.assistant_version is not None:
        chosen: dict[str, JsonValue] = {"assistant_version": run.assistant_version if same else None}
        return {"assistant": run.assistant, **chosen, "session": run.session}
    chosen = {"environment": run.environment, "version": run.version if same else None}
    return {"agent": run.agent, **chosen, "session": run.session}


def run_command(run: Run, text: str, *, same: bool) -> str:
    """The command that starts such a run."""
    try:
        text = json.dumps(json.loads(text), ensure_ascii=False)
    except (ValueError, RecursionError):
        text = "@input.json"
    option = "--version" if run.assistant_version is None else "--assistant-version"
    version = run.version if run.assistant_version is None else run.assistant_version
    pinned = f" {option} {version}" if same and version is not None else ""
    session = f" --session {shlex.quote(run.session)}" if run.session is not None else ""
    return f"ao run {run.assistant} -i {shlex.quote(text)}{pinned}{session}"
