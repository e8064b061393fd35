"""Running something again, with its input as it was or edited."""

import json
import shlex
from collections.abc import Mapping, Sequence

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


Asked = Mapping[str, JsonValue]
"""The body of a request for a run."""


class AgainPages:
    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._runs = frame.services.runs

    def routes(self) -> list[Route]:
        return [
            self._frame.page("/runs/{run_id}/again", self.form, "create_run", holds=True),
            self._frame.action("/runs/{run_id}/again", self.again, "create_run"),
        ]

    async def form(self, visit: Visit) -> Response:
        run = await self._runs.get(run_id_of(visit))
        visit.hold("create_run", run.agent)
        text = json.dumps(await self._runs.payload(run.input), indent=2, ensure_ascii=False)
        if len(text) > MAX_EDITED_CHARACTERS:
            raise InvalidInput(
                "the input of this run is too large to be edited here",
                hint=f"download it from the run's page, edit it, then: ao run {run.agent} -i @input.json",
            )
        return await self._show(visit, run, text.encode("utf-8", "replace").decode(), "", (), 200)

    async def again(self, visit: Visit) -> Response:
        run = await self._runs.get(run_id_of(visit))
        text, version = visit.form.get("input", ""), visit.form.get("version", "")
        try:
            value = json_in(text, "input")
            asked = {**await self._asked(run, same=version == "same"), "input": value}
            request = RunCreate.model_validate(asked)
            made, _ = await self._runs.create(request, visit.actor, run.lineage)
        except InvalidInput as error:
            problems = error.problems or (Problem("input", error.message, error.hint),)
            return await self._show(visit, run, text, version, problems, status_of(error))
        return redirect(f"/runs/{made.id}")

    async def _asked(self, run: Run, *, same: bool) -> Asked:
        """What the new run is asked for, but for its input."""
        key, webhook = await self._runs.asked_of(run)
        told: JsonValue = None if webhook is None else {"url": webhook.url, "secret": webhook.secret}
        more: Asked = {"priority": run.priority, "concurrency_key": key, "webhook": told}
        return {**target_of(run, same=same), **more}

    async def _show(
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
            command=run_command(await self._asked(run, same=version == "same"), text),
        )


def target_of(run: Run, *, same: bool) -> Asked:
    """What is to run again: of an agent or of an assistant, the version of then or of now, in its session."""
    if run.assistant_version is not None:
        chosen: dict[str, JsonValue] = {"assistant_version": run.assistant_version if same else None}
        return {"assistant": run.assistant, **chosen, "session": run.session}
    chosen = {"environment": run.environment, "version": run.version if same else None}
    return {"agent": run.agent, **chosen, "session": run.session}


def run_command(asked: Asked, text: str) -> str:
    """The command that starts such a run."""
    try:
        text = json.dumps(json.loads(text), ensure_ascii=False)
    except (ValueError, RecursionError):
        text = "@input.json"
    name = asked.get("agent") or asked.get("assistant")
    words = ["ao", "run", str(name), "-i", text]
    webhook = asked["webhook"]
    url, secret = (webhook["url"], webhook["secret"]) if isinstance(webhook, dict) else (None, None)
    options = {
        "--version": asked.get("version"),
        "--assistant-version": asked.get("assistant_version"),
        "--session": asked["session"],
        "--priority": asked["priority"] or None,
        "--concurrency-key": asked["concurrency_key"],
        "--webhook": url,
        "--webhook-secret": secret,
    }
    for option, value in options.items():
        words += [] if value is None else [option, str(value)]
    return shlex.join(words)
