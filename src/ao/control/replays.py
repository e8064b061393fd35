"""New runs of old ones: forks from a step, and replays of what has failed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from ao.build import Builder
from ao.bus import READY, Bus
from ao.control import audit
from ao.control.assistants import Assistants
from ao.control.backpressure import Backpressure
from ao.control.catalog import Catalog
from ao.control.concurrency import share_of
from ao.control.session_use import gates_of
from ao.control.step_names import gone, names_of
from ao.domain.artifact import Part
from ao.domain.errors import AoError, Conflict, InvalidInput, NotFound, QueueFull
from ao.domain.run import RunState
from ao.domain.session import KEPT_VERSIONS, SessionUse
from ao.domain.step import Step, StepKind
from ao.ids import RunId, new_run_id, uuid7
from ao.store import Store
from ao.store.dead_letter_records import DeadLetter, DeadLetterFilter, DeadLetterGroup, RecordedSteps
from ao.store.records import Deployment, Fork, NewRun, Run
from ao.store.sessions import SessionKey

PAGE = 10_000
PURGED_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Made:
    """A new run of an old one."""

    run: Run
    warnings: Sequence[str]
    """What may keep it from using what the old one recorded."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of one dead letter."""

    run_id: RunId
    replay: RunId | None
    error: AoError | None
    warnings: Sequence[str] = ()


class Replays:
    def __init__(
        self,
        store: Store,
        catalog: Catalog,
        assistants: Assistants,
        builder: Builder,
        bus: Bus,
        backpressure: Backpressure,
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._assistants = assistants
        self._builder = builder
        self._bus = bus
        self._backpressure = backpressure

    async def fork(self, run_id: RunId, step: str, version: int | None, actor: str) -> Made:
        """A new run that has the results of the steps which the old one began before `step`, and executes the
        rest. `version` names another deployment; None is the old run's. A run of a session gets a copy of it,
        as it was before the old run, with the files that those steps have left.

        Raises NotFound (run, step, version), Conflict (a version that cannot run, or without the steps),
        InvalidInput (one that the overrides of the run's assistant do not fit), QueueFull.
        """
        source = await self._store.runs.get(run_id)
        found = await self._store.steps.get(run_id, step)
        if found is None or found.kind is StepKind.SPAN:
            raise NotFound(f"Run {run_id} has no step {step!r}.", hint=await self._known(run_id))
        chosen = await self._chosen(source, version)  # first: what is refused leaves no copy of a session
        await self._check_steps(source, chosen[0], found)
        await self._backpressure.admit(source.agent)
        use = await self._branch(source, found, actor)
        return await self._again(source, Fork(run_id, found.path), chosen, actor, "run.fork", use)

    async def replay(
        self, run_id: RunId, *, scratch: bool, version: int | None, actor: str, as_first: bool = False
    ) -> Made:
        """A new run of one that has ended: with all its recorded steps, or from scratch with none. With
        `as_first` only if the dead letter was not replayed before.

        Raises NotFound, QueueFull, Conflict: it goes on, what it recorded is gone, the version cannot run or
        is without the steps, not the first, its session was deleted and steps are recorded.
        """
        source = await self._store.runs.get(run_id)
        if not source.head.state.terminal:
            raise Conflict(
                f"Run {run_id} is {source.head.state}: it goes on by itself.",
                hint=f"`ao fork {run_id} --from STEP` makes a second one beside it",
            )
        if not scratch and await self._is_forgotten(source):
            raise Conflict(
                f"What run {run_id} has recorded was removed: it can only be replayed from the start.",
                hint="`--from-start`, or `begin` = `start` in the request, does every step again",
            )
        fork = Fork(run_id, None, with_steps=not scratch, as_first=as_first)
        use = await self._same(source, anew=scratch)
        chosen = await self._chosen(source, version)
        if not scratch:
            await self._check_steps(source, chosen[0], None)
        await self._backpressure.admit(source.agent)
        return await self._again(source, fork, chosen, actor, "run.replay", use)

    async def replay_all(
        self, letters: Sequence[RunId], *, scratch: bool, version: int | None, actor: str
    ) -> Sequence[Replayed]:
        """Replay many, each at most once; one that cannot be does not stop the others."""
        done = []
        for run_id in letters:
            try:
                await self._store.dead_letters.get(run_id)
                made = await self.replay(run_id, scratch=scratch, version=version, actor=actor, as_first=True)
                done.append(Replayed(run_id, made.run.id, None, made.warnings))
            except (NotFound, Conflict, InvalidInput, QueueFull) as error:
                done.append(Replayed(run_id, None, error))
        return done

    async def letters(self, where: DeadLetterFilter, limit: int) -> Sequence[DeadLetter]:
        """Newest run first, unless the filter says otherwise."""
        return await self._store.dead_letters.list(where, limit)

    async def groups(self, where: DeadLetterFilter, limit: int) -> Sequence[DeadLetterGroup]:
        """Those that failed alike, the latest failure first."""
        return await self._store.dead_letters.groups(where, limit)

    async def progress(self, where: DeadLetterFilter) -> dict[RunState, int]:
        """What became of the runs that were made of them."""
        return await self._store.dead_letters.replays(where)

    async def recorded(self, where: DeadLetterFilter, limit: int) -> Sequence[RecordedSteps]:
        """What a replay from the checkpoint would not do again."""
        return await self._store.dead_letters.recorded(where, limit)

    async def purge(self, where: DeadLetterFilter, older_than_seconds: float, actor: str) -> int:
        """Forget dead letters and what their runs have recorded of steps; returns how many. Each part of them
        is one write, with its audit entry."""
        agent = where.agents[0] if where.agents else ""
        entry = audit.entry(actor, "dead_letters.purge", "dead-letters", agent, older_than=older_than_seconds)
        before_us = await self._store.schedules.now_us() - int(older_than_seconds * 1_000_000)
        purged = 0
        while some := await self._store.dead_letters.purge(where, before_us, PURGED_AT_ONCE, entry):
            purged += some
        return purged

    async def _same(self, source: Run, *, anew: bool) -> SessionUse | None:
        """The session of a replay: the one that the recorded steps have left something in."""
        if source.session is None:
            return None
        if anew or not await self._store.steps.recorded(source.id, 1):
            return SessionUse(source.session)
        return SessionUse(source.session, known_us=source.created_us)

    async def _branch(self, source: Run, first: Step, actor: str) -> SessionUse | None:
        """A session of its own for a fork, which begins as that of `source` did, with the files that its steps
        before `first` have left."""
        if source.session is None:
            return None
        key = SessionKey(source.agent, source.session)
        branch = SessionKey(source.agent, uuid7())
        entry = audit.entry(actor, "session.copy", f"session:{key.id}", key.agent, to=branch.id)
        base = await self._base_of(source, key)
        files_of = None if base is None else await self._last_of(source, key, first, base)
        await self._store.sessions.copy(key, base, branch, actor, entry, files_of)
        return SessionUse(branch.id)

    async def _base_of(self, source: Run, key: SessionKey) -> int | None:
        """The version of the session that a run began with, if that is known and kept."""
        base = source.session_base
        if not base:
            return None
        kept = await self._store.sessions.history(key, base + 1, 1)
        is_other = not kept or (await self._store.sessions.get(key)).created_us > source.created_us
        if is_other or kept[0].version != base:
            raise Conflict(
                f"Session {key.id} as it was before run {source.id} is not kept any more.",
                hint=f"the last {KEPT_VERSIONS} versions of a session are kept, until it is deleted; "
                f"`ao dlq replay {source.id} --from-start` begins with the session as it is",
            )
        return base

    async def _last_of(self, source: Run, key: SessionKey, first: Step, base: int) -> int | None:
        """The version above `base` that the last of the steps has committed which a fork takes over."""
        steps = [step for step in await self._outline(source.id) if step.started_us < first.started_us]
        kept = {source.id: {step.path for step in steps}}
        if repeated := {step.path for step in steps if step.attempt == 0}:  # they are of runs before it
            kept |= dict.fromkeys(await self._repeats(source), repeated)
        before = None
        while page := await self._store.sessions.history(key, before, KEPT_VERSIONS):
            found = (each.version for each in page if each.run_id and each.step in kept.get(each.run_id, ()))
            if (last := next(found, None)) is not None:
                return last if last > base else None
            before = page[-1].version
        return None

    async def _repeats(self, run: Run) -> Sequence[RunId]:
        """The runs of its session that it is a replay of: the one, what that one repeats, and so on."""
        line: list[RunId] = []
        while run.fork_of is not None:
            before = await self._store.runs.get(run.fork_of)
            if before.session != run.session:
                break
            line.append(before.id)
            run = before
        return line

    async def _outline(self, run_id: RunId) -> Sequence[Step]:
        """All its steps, without what they returned."""
        steps: list[Step] = []
        while page := await self._store.steps.outline(run_id, PAGE, len(steps)):
            steps += page
        return steps

    async def _chosen(self, source: Run, version: int | None) -> tuple[Deployment, bool]:
        """(the deployment of the new run, whether it may be another than the old one's)."""
        if version is None and source.deployment_id is not None:
            return await self._store.deployments.get_by_id(source.deployment_id), False
        deployment = await self._catalog.resolve(source.agent, source.environment, version)
        if source.assistant_version is not None:
            await self._assistants.fits(source.assistant, source.assistant_version, deployment)
        return deployment, True

    async def _again(
        self,
        source: Run,
        fork: Fork,
        chosen: tuple[Deployment, bool],
        actor: str,
        action: str,
        use: SessionUse | None,
    ) -> Made:
        deployment, is_other = chosen
        share = share_of(source.agent, self._catalog.concurrency(deployment), source.concurrency_key, None)
        new = NewRun(
            id=new_run_id(),
            agent=source.agent,
            environment=source.environment,
            input=source.input,
            actor=actor,
            deployment_id=deployment.id,
            priority=source.priority,
            tick_us=source.tick_us,
            lineage=source.lineage,
            fork=fork,
            webhook=await self._store.webhooks.of_run(source.id),
            session=use,
            assistant=source.assistant if source.assistant_version is not None else None,
            assistant_version=source.assistant_version,
            concurrency_key=share.key,
            gates=[*share.gates, *gates_of(source.agent, use)],
            placement=await self._placement(source, deployment),
        )
        entry = audit.entry(actor, action, f"run:{source.id}", source.agent, run=new.id, step=fork.step or "")
        warnings = await self._warnings(source, deployment) if fork.with_steps and is_other else []
        await self._store.runs.create(new, entry)
        self._bus.publish(READY)
        return Made(await self._store.runs.get(new.id), warnings)

    async def _placement(self, source: Run, deployment: Deployment) -> str | None:
        overrides = ""
        if source.assistant_version is not None:
            overrides = (await self._assistants.version(source.assistant, source.assistant_version)).overrides
        return self._catalog.placement(deployment, overrides)

    async def _warnings(self, source: Run, target: Deployment) -> list[str]:
        """Whether the code that comes to the recorded steps is the code that has recorded them."""
        if source.deployment_id in (None, target.id) or source.version is None:
            return []
        former = await self._store.deployments.get(source.agent, source.version)
        if _code_of(former) == _code_of(target) or not await self._store.steps.recorded(source.id, 1):
            return []
        return [
            f"v{target.version} has other code than v{source.version}, which recorded the steps: one that gets "
            "another input ends the new run with StepDiverged, one that has another name is executed "
            f"(`ao diff {source.agent} v{source.version} v{target.version}`)"
        ]

    async def _check_steps(self, source: Run, target: Deployment, first: Step | None) -> None:
        """Raises Conflict when the code of `target` does not name a step any more that was recorded, before
        `first`: its result would be dropped without a word, and what it did done again under another name."""
        if source.deployment_id in (None, target.id) or source.version is None or target.release is None:
            return
        former = await self._store.deployments.get(source.agent, source.version)
        if former.release is None or _code_of(former) == _code_of(target):
            return
        steps = await self._outline(source.id)
        names = names_of(step for step in steps if first is None or step.started_us < first.started_us)
        if not names:
            return
        old, new = (
            await self._builder.code(former.release.digest),
            await self._builder.code(target.release.digest),
        )
        if missing := gone(names, old, new):
            raise Conflict(
                f"v{target.version} has no step {', '.join(map(repr, missing[:10]))} any more, "
                f"which run {source.id} has recorded on v{former.version}.",
                hint="a replay from the start does every step again; a fork from before it goes on from there",
            )

    async def _is_forgotten(self, source: Run) -> bool:
        """Whether retention or a purge has removed what it recorded."""
        if source.head.state is RunState.FAILED:
            return not await self._store.dead_letters.list(
                DeadLetterFilter(run_id=source.id, open_only=False), 1
            )
        first = await self._store.runs.events(source.id, 0, 1)
        return not first or first[0].seq != 1

    async def _known(self, run_id: RunId) -> str:
        steps = await self._store.steps.outline(run_id, PAGE)
        paths = [step.path for step in steps if _can_begin(step)]
        return f"it has {', '.join(paths[:20])}" if paths else "it has recorded none"


def _can_begin(step: Step) -> bool:
    return step.kind is not StepKind.SPAN


def _code_of(deployment: Deployment) -> object:
    """Digest of the code; None for a release without any."""
    parts = json.loads(deployment.release.parts) if deployment.release is not None else {}
    return parts.get(Part.CODE, {}).get("digest")
