"""What a store's author provides to run the contract, and the small steps that its tests are made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ao.domain.event import Event, EventKind, NewEvent
from ao.domain.outcome import AttemptOutcome, ErrorInfo, OutcomeKind
from ao.domain.retry import RetryPolicy
from ao.domain.schedule import DECLARED, Missed, Overlap
from ao.ids import (
    DeploymentId,
    Digest,
    RunId,
    ScheduleId,
    WorkerId,
    new_deployment_id,
    new_run_id,
    new_schedule_id,
    new_worker_id,
)
from ao.store import Store
from ao.store.agenda import Due
from ao.store.gates import Gate
from ao.store.records import (
    BuiltRelease,
    Claim,
    Deployment,
    FinishAttempt,
    Finished,
    NewDeployment,
    NewRun,
    Payload,
)
from ao.store.schedules import Schedule
from ao.store.sql.engine import ClockOffset

LEASE_US = 12_000_000
SECOND = 1_000_000
AGENT = "support"
NO_JITTER = RetryPolicy(max_retries=2, initial_delay=60.0, jitter=False)


def digest(name: str) -> Digest:
    """A digest that reads like what it stands for."""
    return Digest(f"sha256:{name.encode().hex():0>64}")


def log_event(text: str, at_us: int = 1) -> NewEvent:
    data: dict[str, object] = {"attempt": 1, "stream": "stdout", "lines": [[at_us, text]]}
    return NewEvent(EventKind.LOG, at_us, data)


@dataclass(frozen=True, slots=True)
class Harness:
    """A fresh database, as one replica sees it and as another one does, with a clock that can be moved."""

    store: Store
    replica: Store
    """Another process on the same database; the same store where only one process is allowed."""
    offset: ClockOffset

    def advance(self, seconds: float) -> None:
        """Move the database's clock."""
        self.offset.us += int(seconds * SECOND)

    async def next_us(self, kind: Due) -> int | None:
        """When the first of this kind is due."""
        return (await self.store.agenda.look()).next_us.get(kind)

    async def start_build(self, agent: str = AGENT) -> Deployment:
        return await self.store.deployments.create(
            NewDeployment(new_deployment_id(), agent, "key:dev", digest("source"), "first")
        )

    async def deploy(self, agent: str = AGENT, schedule: Schedule | None = None) -> Deployment:
        building = await self.start_build(agent)
        return await self.store.deployments.succeed(building.id, release(building), schedule)

    def new_run(
        self,
        agent: str = AGENT,
        *,
        environment: str = "prod",
        key: str | None = None,
        request_hash: str = "same",
        priority: int = 0,
        deployment_id: DeploymentId | None = None,
        schedule_id: ScheduleId | None = None,
        tick_us: int | None = None,
        payload: Payload | None = None,
        gates: Sequence[Gate] = (),
        concurrency_key: str | None = None,
    ) -> NewRun:
        return NewRun(
            new_run_id(),
            agent,
            environment,
            payload or Payload('{"question":"why"}'),
            "key:dev",
            deployment_id=deployment_id,
            idempotency_key=key,
            request_hash=request_hash,
            priority=priority,
            schedule_id=schedule_id,
            tick_us=tick_us,
            gates=gates,
            concurrency_key=concurrency_key,
        )

    async def submit(self, priority: int = 0) -> RunId:
        return (await self.store.runs.create(self.new_run(priority=priority))).run_id

    async def register(self, lease_us: int = LEASE_US) -> WorkerId:
        worker_id = new_worker_id()
        await self.store.workers.register(worker_id, "host", 8, "namespaces", lease_us)
        return worker_id

    async def claim_one(self, worker_id: WorkerId) -> Claim:
        (claim,) = await self.store.runs.claim(worker_id, 1)
        return claim

    async def running(self) -> tuple[WorkerId, Claim]:
        """A run in its first attempt, and the worker that has it."""
        await self.deploy()
        await self.submit()
        worker_id = await self.register()
        return worker_id, await self.claim_one(worker_id)

    async def let_retries_be_due(self, worker_id: WorkerId) -> None:
        """An hour later; the worker's lease was kept alive."""
        self.advance(3600)
        await self.store.workers.heartbeat(worker_id, LEASE_US)
        await self.store.runs.promote_due(1000)

    async def finish(
        self,
        claim: Claim,
        outcome: AttemptOutcome,
        events: Sequence[NewEvent] = (),
        policy: RetryPolicy = NO_JITTER,
    ) -> Finished:
        output = None if outcome.output is None else Payload(outcome.output)
        report = FinishAttempt(claim.run_id, claim.fence, policy, 0.0, output)
        return await self.store.runs.finish(report, outcome, events)

    async def events(self, run_id: RunId) -> Sequence[Event]:
        return await self.store.runs.events(run_id, 0, 10_000)

    async def reasons(self, run_id: RunId) -> list[object]:
        """The reasons of the run's transitions, in order."""
        events = await self.events(run_id)
        return [event.data["reason"] for event in events if event.kind is EventKind.STATE]


COMPLETED = AttemptOutcome(OutcomeKind.COMPLETED, '{"answer":42}', sandbox="namespaces")


def failed(message: str = "ValueError: no", *, permanent: bool = False) -> AttemptOutcome:
    error = ErrorInfo(OutcomeKind.ERROR, message, "ValueError", "Traceback …", "try harder")
    return AttemptOutcome(OutcomeKind.ERROR, error=error, permanent=permanent)


def release(deployment: Deployment, env_key: str = "env") -> BuiltRelease:
    name = f"{deployment.agent}-{deployment.version}"
    parts = f'{{"code":{{"digest":"{digest(name + "-code")}","size":1}}}}'
    return BuiltRelease(digest(name), '{"name":"support"}', env_key, digest("lock"), "asked", parts)


def schedule(
    agent: str = AGENT, *, name: str = DECLARED, cron: str = "0 9 * * *", next_us: int | None = 1, **more: Any
) -> Schedule:
    """As a release declares it; with a name of its own, as somebody made it."""
    declared = name == DECLARED
    return Schedule(
        id=new_schedule_id(),
        agent=agent,
        environment="prod",
        name=name,
        cron=cron,
        timezone="UTC",
        missed=Missed.LATEST,
        overlap=more.pop("overlap", Overlap.SKIP),
        next_us=next_us,
        declared=declared,
        **more,
    )
