"""New runs of old ones: forks from a step, and replays of what has failed."""

from collections.abc import Sequence
from dataclasses import dataclass

from ao.bus import READY, Bus
from ao.control import audit
from ao.control.catalog import Catalog
from ao.domain.errors import AoError, Conflict, NotFound
from ao.domain.step import Step, StepKind
from ao.ids import RunId, new_run_id
from ao.store import Store
from ao.store.dead_letter_records import DeadLetter, DeadLetterFilter, DeadLetterGroup
from ao.store.records import Fork, NewRun, Run

MAX_STEPS = 10_000


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of one dead letter."""

    run_id: RunId
    replay: RunId | None
    error: AoError | None


class Replays:
    def __init__(self, store: Store, catalog: Catalog, bus: Bus) -> None:
        self._store = store
        self._catalog = catalog
        self._bus = bus

    async def fork(self, run_id: RunId, step: str, version: int | None, actor: str) -> Run:
        """A new run that has the results of the steps which the old one began before `step`, and executes the
        rest. `version` names another deployment; None is the old run's.

        Raises NotFound (run, step, version), Conflict (a version that cannot run).
        """
        source = await self._store.runs.get(run_id)
        found = await self._store.steps.get(run_id, step)
        if found is None or found.kind is StepKind.SPAN:
            raise NotFound(f"Run {run_id} has no step {step!r}.", hint=await self._known(run_id))
        return await self._again(source, Fork(run_id, found.path), version, actor, "run.fork")

    async def replay(self, run_id: RunId, *, scratch: bool, version: int | None, actor: str) -> Run:
        """A new run of one that has ended: with all its recorded steps, or from scratch with none."""
        source = await self._store.runs.get(run_id)
        if not source.head.state.terminal:
            raise Conflict(
                f"Run {run_id} is {source.head.state}: it goes on by itself.",
                hint=f"`ao fork {run_id} --from STEP` makes a second one beside it",
            )
        fork = Fork(run_id, None, with_steps=not scratch)
        return await self._again(source, fork, version, actor, "run.replay")

    async def replay_all(
        self, letters: Sequence[RunId], *, scratch: bool, version: int | None, actor: str
    ) -> Sequence[Replayed]:
        """Replay many; one that cannot be does not stop the others."""
        done = []
        for run_id in letters:
            try:
                await self._store.dead_letters.get(run_id)
                replay = await self.replay(run_id, scratch=scratch, version=version, actor=actor)
                done.append(Replayed(run_id, replay.id, None))
            except (NotFound, Conflict) as error:
                done.append(Replayed(run_id, None, error))
        return done

    async def letters(self, where: DeadLetterFilter, limit: int) -> Sequence[DeadLetter]:
        """Newest run first."""
        return await self._store.dead_letters.list(where, limit)

    async def groups(self, where: DeadLetterFilter, limit: int) -> Sequence[DeadLetterGroup]:
        """Those that failed alike, the latest failure first."""
        return await self._store.dead_letters.groups(where, limit)

    async def purge(self, where: DeadLetterFilter, older_than_seconds: float, actor: str, limit: int) -> int:
        """Forget dead letters and what their runs have recorded of steps; returns how many."""
        agent = where.agents[0] if where.agents else ""
        entry = audit.entry(actor, "dead_letters.purge", "dead-letters", agent, older_than=older_than_seconds)
        before_us = await self._store.schedules.now_us() - int(older_than_seconds * 1_000_000)
        return await self._store.dead_letters.purge(where, before_us, limit, entry)

    async def _again(self, source: Run, fork: Fork, version: int | None, actor: str, action: str) -> Run:
        deployment_id = source.deployment_id
        if version is not None or deployment_id is None:
            deployment_id = (await self._catalog.resolve(source.agent, source.environment, version)).id
        new = NewRun(
            id=new_run_id(),
            agent=source.agent,
            environment=source.environment,
            input=source.input,
            actor=actor,
            deployment_id=deployment_id,
            priority=source.priority,
            lineage=source.lineage,
            fork=fork,
        )
        await self._store.runs.create(new)
        entry = audit.entry(actor, action, f"run:{source.id}", source.agent, run=new.id, step=fork.step or "")
        await self._store.audit.append(entry)
        self._bus.publish(READY)
        return await self._store.runs.get(new.id)

    async def _known(self, run_id: RunId) -> str:
        steps = await self._store.steps.list(run_id, MAX_STEPS)
        paths = [step.path for step in steps if _can_begin(step)]
        return f"it has {', '.join(paths[:20])}" if paths else "it has recorded none"


def _can_begin(step: Step) -> bool:
    return step.kind is not StepKind.SPAN
