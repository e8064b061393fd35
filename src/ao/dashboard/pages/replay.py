"""New runs of old ones: a replay of one that has failed, and a fork from a step."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response
from starlette.routing import Route

from ao.dashboard.frame import Frame, Visit, redirect
from ao.dashboard.navigation import Crumb
from ao.dashboard.pages.asked import run_id_of, short, with_warning
from ao.dashboard.parameters import from_start_in, version_or_none_in
from ao.domain.deployment import DeploymentStatus
from ao.domain.errors import Conflict, InvalidInput, Problem
from ao.domain.run import RunState
from ao.domain.step import Step, StepKind
from ao.store.insights import DeploymentRow
from ao.store.records import Run

STEPS = 2_000
"""That a fork can be chosen from; the command takes any."""
COMPARABLE = 200


@dataclass(frozen=True, slots=True)
class Targets:
    """Where a run can be executed again."""

    versions: Sequence[int]
    live: int | None


def targets_of(rows: Sequence[DeploymentRow]) -> Targets:
    versions = [row.version for row in rows if row.status is DeploymentStatus.SUCCEEDED]
    return Targets(versions, next((row.version for row in rows if row.live), None))


class ReplayPages:
    """Each asks three times: the run, its steps, the versions of its agent."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._runs = frame.services.runs
        self._replays = frame.services.replays
        self._store = frame.services.store

    def routes(self) -> list[Route]:
        page, action = self._frame.page, self._frame.action
        return [
            page("/runs/{run_id}/replay", self.confirm_replay, "replay_run", holds=True),
            action("/runs/{run_id}/replay", self.replay, "replay_run"),
            page("/runs/{run_id}/fork", self.confirm_fork, "fork_run", holds=True),
            action("/runs/{run_id}/fork", self.fork, "fork_run"),
        ]

    async def confirm_replay(self, visit: Visit) -> Response:
        run = await self._runs.get(run_id_of(visit))
        visit.hold("replay_run", run.agent)
        if run.head.state is not RunState.FAILED:
            raise Conflict(
                f"run {run.id} is {run.head.state}: only what has failed is replayed",
                hint=f"run it again with its input, or fork it from a step: ao fork {run.id} --from STEP",
            )
        steps = await self._steps(run)
        return self._frame.render(
            visit,
            "replay.html",
            title="Replay this run?",
            section="runs",
            crumbs=_crumbs(run),
            run=run,
            targets=await self._targets(run),
            kept=[step for step in steps if step.completed],
            again=[step for step in steps if not step.completed],
            command=f"ao dlq replay {run.id}",
        )

    async def confirm_fork(self, visit: Visit) -> Response:
        run = await self._runs.get(run_id_of(visit))
        visit.hold("fork_run", run.agent)
        steps = await self._steps(run)
        if not steps:
            raise Conflict(
                f"run {run.id} has no steps to begin at",
                hint="run it again from the start; @step makes a function a step",
            )
        chosen = visit.query.get("step", "")
        named = next((step for step in steps if step.path == chosen), None)
        step = named or next((step for step in steps if not step.completed), steps[-1])
        at = steps.index(step)
        return self._frame.render(
            visit,
            "fork.html",
            title="Fork this run?",
            section="runs",
            crumbs=_crumbs(run),
            run=run,
            targets=await self._targets(run),
            steps=steps,
            step=step,
            kept=[each for each in steps[:at] if each.completed and not step.path.startswith(f"{each.path}/")],
            command=f"ao fork {run.id} --from {shlex.quote(step.path)}",
        )

    async def replay(self, visit: Visit) -> Response:
        source = await self._runs.get(run_id_of(visit))
        made = await self._replays.replay(
            source.id,
            scratch=from_start_in(visit.form),
            version=version_or_none_in(visit.form, "version"),
            actor=visit.actor,
        )
        return redirect(with_warning(made, source))

    async def fork(self, visit: Visit) -> Response:
        step = visit.form.get("step", "")
        if not step:
            raise InvalidInput("no step was chosen", problems=[Problem("step", "is needed")])
        version = version_or_none_in(visit.form, "version")
        source = await self._runs.get(run_id_of(visit))
        made = await self._replays.fork(source.id, step, version, visit.actor)
        return redirect(with_warning(made, source))

    async def _steps(self, run: Run) -> Sequence[Step]:
        found = await self._store.steps.list(run.id, STEPS)
        return [step for step in found if step.kind is not StepKind.SPAN]

    async def _targets(self, run: Run) -> Targets:
        rows = await self._store.insights.deployments([run.agent], None, COMPARABLE)
        return targets_of(rows)


def _crumbs(run: Run) -> list[Crumb]:
    return [Crumb("Runs", "/runs"), Crumb(f"{run.agent} {short(run.id)}", f"/runs/{run.id}")]
