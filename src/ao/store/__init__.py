"""The store: every truth of AO, behind one protocol per aggregate.

Contract of every method that writes, on every implementation:

- It is one atomic write; when it returns, the write is durable (SQLite `synchronous=FULL`, Postgres
  `synchronous_commit=on`). There is no public transaction: what must be atomic is one method.
- "Now" is the database's clock, not the caller's.
- A write that names a fence is refused with `StaleWrite` when the run has a newer owner or another state.
- A full disk raises `StorageFull`, an unreachable or busy database `Unavailable`; nothing is half done.
- Cancelling the awaiting task does not undo a write: its outcome is unknown, re-read it.

One contract suite (`ao.testing.store_contract`) runs against every implementation.
"""

from collections.abc import Sequence
from typing import Protocol

from ao.domain.deployment import Pointer
from ao.domain.event import Event, NewEvent
from ao.domain.outcome import AttemptOutcome
from ao.domain.step import Step
from ao.ids import ApiKeyId, DeploymentId, Digest, QuestionId, RunId, ScheduleId, WorkerId
from ao.store.audit import AuditStore, NewAudit
from ao.store.dead_letters import DeadLetterStore
from ao.store.insights import InsightStore
from ao.store.question_records import NewAnswer, Question, QuestionFilter
from ao.store.records import (
    Agent,
    ApiKey,
    Attempt,
    BuiltRelease,
    CancelResult,
    Claim,
    Created,
    Deployment,
    FinishAttempt,
    Finished,
    Login,
    LostRuns,
    NewApiKey,
    NewDeployment,
    NewRun,
    Owned,
    PointerMove,
    Run,
    RunFilter,
    Schedule,
    Secret,
    Worker,
)
from ao.store.retention import RetentionStore
from ao.store.webhooks import WebhookStore


class RunStore(Protocol):
    async def create(self, run: NewRun) -> Created:
        """Accept a run: request, first transition and ready row in one write.

        With an idempotency key that was used (per agent): the same request answers with the first run
        (`is_new` False), another request raises `IdempotencyConflict`.
        """
        ...

    async def claim(self, worker_id: WorkerId, limit: int) -> Sequence[Claim]:
        """Take up to `limit` ready runs, highest priority first, oldest first within one.

        A run without a deployment is resolved to `stable` of its environment here and keeps it. Each
        claim raises the fence, opens the attempt's row and writes its transition. A worker whose lease
        has ended, or that is unknown, gets nothing.
        """
        ...

    async def append(self, run_id: RunId, fence: int, events: Sequence[NewEvent]) -> int:
        """Append events of a running attempt, with the steps that they carry; returns the last seq. Refused
        when stale. A step that is completed already stays as it is."""
        ...

    async def finish(
        self, report: FinishAttempt, outcome: AttemptOutcome, events: Sequence[NewEvent]
    ) -> Finished:
        """End an attempt: apply `domain.run.after_attempt` to the head as it is now, and write outcome,
        remaining events, `attempt_finished` and the transition's event together. Refused when stale."""
        ...

    async def hand_back(self, run_id: RunId, fence: int, events: Sequence[NewEvent]) -> None:
        """Return a run that was not finished to `pending`, at once claimable. Refused when stale."""
        ...

    async def cancel(self, run_id: RunId, actor: str, audit: NewAudit | None = None) -> CancelResult:
        """Cancel a pending run at once; mark a running one for its worker. A terminal one is left alone."""
        ...

    async def promote_due(self, limit: int) -> tuple[int, int | None]:
        """Make delayed runs that are due claimable, and paused ones whose question is out of time:
        (how many, when the next is due or None)."""
        ...

    async def queued(self, agent: str | None, limit: int) -> int:
        """How many runs (of an agent) could be claimed now; `limit` when there are that many or more."""
        ...

    async def get(self, run_id: RunId) -> Run:
        """The run, or `NotFound`."""
        ...

    async def list(self, where: RunFilter, limit: int) -> Sequence[Run]:
        """Newest first."""
        ...

    async def attempts(self, run_id: RunId) -> Sequence[Attempt]: ...

    async def with_attempts(self, run_id: RunId) -> tuple[Run, Sequence[Attempt]]:
        """Both, as they were at one instant; `NotFound`."""
        ...

    async def events(self, run_id: RunId, after_seq: int, limit: int) -> Sequence[Event]:
        """Events with a seq above `after_seq`, in order."""
        ...


class LogStore(Protocol):
    """The `log` events of a run, in pieces. A call reads at most `limit` events."""

    async def forward(self, run_id: RunId, after_seq: int, since_us: int, limit: int) -> Sequence[Event]:
        """In order, those with a seq above `after_seq` whose last line is not older than `since_us`."""
        ...

    async def backward(
        self, run_id: RunId, before_seq: int, limit: int, max_characters: int
    ) -> tuple[Sequence[Event], bool]:
        """The latest below `before_seq`, latest first: one at least, then as long as their JSON is not larger
        than `max_characters` in all; and whether there may be earlier ones."""
        ...


class StepStore(Protocol):
    """Steps are written with their events (`RunStore.append`)."""

    async def list(self, run_id: RunId, limit: int, offset: int = 0) -> Sequence[Step]:
        """Steps and spans in the order in which they were first begun, so that parents come first."""
        ...

    async def recorded(self, run_id: RunId, limit: int) -> Sequence[Step]:
        """Those that bind a next execution (`Step.binding`), in the same order."""
        ...

    async def get(self, run_id: RunId, path: str) -> Step | None: ...


class QuestionStore(Protocol):
    """Questions are asked by the end of an attempt (`RunStore.finish` with a pause)."""

    async def list(self, where: QuestionFilter, limit: int) -> Sequence[Question]:
        """Newest first."""
        ...

    async def get(self, question_id: QuestionId) -> Question:
        """The question, or `NotFound`."""
        ...

    async def answer(self, answer: NewAnswer, audit: NewAudit | None = None) -> Question:
        """Answer an open question: its step is completed and its run, if paused, claimable, in one write.
        `AlreadyAnswered` when it is no longer open or its run has ended."""
        ...


class WorkerStore(Protocol):
    async def register(
        self, worker_id: WorkerId, name: str, slots: int, sandbox: str, lease_us: int
    ) -> None: ...

    async def heartbeat(self, worker_id: WorkerId, lease_us: int) -> Sequence[Owned]:
        """Extend the lease to now + `lease_us`; returns what this worker executes, as the store knows it.

        Raises `StaleWrite` when the lease had ended and was swept: the worker must stop everything.
        """
        ...

    async def retire(self, worker_id: WorkerId) -> LostRuns:
        """End a worker's lease now; runs it still owned are treated as lost."""
        ...

    async def sweep(self, limit: int) -> LostRuns:
        """Treat the runs of workers whose lease has ended as lost, up to `limit` runs."""
        ...

    async def list(self) -> Sequence[Worker]: ...

    async def counts(self) -> dict[str, int]:
        """Runs that are `ready`, `delayed` and `running`."""
        ...


class DeploymentStore(Protocol):
    async def create(self, deployment: NewDeployment, audit: NewAudit | None = None) -> Deployment:
        """Allocate the agent's next version (agent made if new), status `building`."""
        ...

    async def append_log(self, deployment_id: DeploymentId, lines: Sequence[tuple[int, str]]) -> int:
        """Append (at_us, text) lines to the build log; returns the last seq (from 1, gap-free)."""
        ...

    async def log(
        self, deployment_id: DeploymentId, after_seq: int, limit: int
    ) -> Sequence[tuple[int, int, str]]:
        """(seq, at_us, text) of build log lines above `after_seq`."""
        ...

    async def succeed(
        self, deployment_id: DeploymentId, release: BuiltRelease, schedule: Schedule | None
    ) -> Deployment:
        """building → succeeded; `stable` of the default environment moves to it (unless a newer version
        is already there) and `last_good` to what was stable, unless all its runs failed, in the same
        write. The schedule that the release declares replaces the agent's; None removes it."""
        ...

    async def fail(self, deployment_id: DeploymentId, error: str) -> Deployment:
        """building → failed. What is live stays live."""
        ...

    async def get(self, agent: str, version: int) -> Deployment: ...

    async def get_by_id(self, deployment_id: DeploymentId) -> Deployment: ...

    async def list(self, agent: str, before: int | None, limit: int) -> Sequence[Deployment]:
        """Newest version first; `before` is a keyset cursor."""
        ...

    async def building(self) -> Sequence[Deployment]:
        """Deployments still `building`: after a restart they are failed as interrupted."""
        ...

    async def in_use(self) -> tuple[Sequence[str], Sequence[Digest]]:
        """(environment keys, release and source and payload digests) that anything refers to: what
        `ao gc` must keep."""
        ...


class AgentStore(Protocol):
    async def list(self) -> Sequence[Agent]: ...

    async def get(self, name: str) -> Agent:
        """The agent, or `NotFound` with the nearest name as hint."""
        ...

    async def move_pointer(
        self,
        agent: str,
        environment: str,
        to: int,
        reason: str,
        actor: str,
        schedule: Schedule | None,
        audit: NewAudit | None = None,
    ) -> PointerMove:
        """Point `stable` at a succeeded version (going back to it makes it `last_good` too); history
        appended; the schedule becomes that version's. `Conflict` when the version did not succeed or is
        live already."""
        ...

    async def pointer(self, agent: str, environment: str, pointer: Pointer) -> Deployment | None: ...

    async def history(self, agent: str, limit: int) -> Sequence[PointerMove]:
        """Newest first."""
        ...


class ScheduleStore(Protocol):
    async def list(self, agent: str | None) -> Sequence[Schedule]: ...

    async def due(self, limit: int) -> Sequence[Schedule]:
        """Schedules whose `next_us` has come, by the database's clock."""
        ...

    async def fire(
        self, schedule_id: ScheduleId, expected_next_us: int, runs: Sequence[NewRun], next_us: int
    ) -> bool:
        """Create the runs of one or more ticks and move `next_us`, once: False when another replica did."""
        ...

    async def next_due_us(self) -> int | None: ...

    async def now_us(self) -> int:
        """The database's clock."""
        ...


class SecretStore(Protocol):
    """Values are ciphertext here; encryption is the caller's."""

    async def set(
        self, agent: str, name: str, ciphertext: bytes, actor: str, audit: NewAudit | None = None
    ) -> Secret: ...

    async def delete(self, agent: str, name: str, audit: NewAudit | None = None) -> None: ...

    async def list(self, agent: str | None) -> Sequence[Secret]: ...

    async def resolve(self, agent: str, names: Sequence[str]) -> dict[str, bytes]:
        """Ciphertexts by name; the agent's own wins over one for all agents. Missing names are absent."""
        ...


class KeyStore(Protocol):
    """Only hashes of API keys are kept."""

    async def create(self, key: NewApiKey, audit: NewAudit | None = None) -> ApiKey: ...

    async def find(self, key_hash: str) -> ApiKey | None:
        """The key that has this hash and is neither revoked nor expired."""
        ...

    async def list(self) -> Sequence[ApiKey]: ...

    async def touch(self, key_id: ApiKeyId) -> None:
        """It was used now."""
        ...

    async def revoke(self, key_id: ApiKeyId, audit: NewAudit | None = None) -> ApiKey:
        """Revoking twice is no error; the first instant is kept, and the second is not in the audit log."""
        ...


class LoginStore(Protocol):
    """Who is logged in to the dashboard. Only hashes of tokens are kept; what has expired is removed by the
    next write."""

    async def offer(self, link_hash: str, key_id: ApiKeyId, lifetime_us: int) -> None:
        """A link that logs in as this key, once."""
        ...

    async def redeem(self, link_hash: str, session_hash: str, lifetime_us: int) -> bool:
        """Trade a link for a session; False when it was used, has expired or never was."""
        ...

    async def open(self, session_hash: str, key_id: ApiKeyId, lifetime_us: int) -> None: ...

    async def find(self, session_hash: str) -> Login | None:
        """The session, unless it has expired or its key was revoked."""
        ...

    async def close(self, session_hash: str) -> None:
        """End a session; ending it twice is no error."""
        ...


class Store(Protocol):
    """All of it. Opened by `ao.wiring`, closed by the one who opened it."""

    @property
    def runs(self) -> RunStore: ...
    @property
    def logs(self) -> LogStore: ...
    @property
    def dead_letters(self) -> DeadLetterStore: ...
    @property
    def questions(self) -> QuestionStore: ...
    @property
    def steps(self) -> StepStore: ...
    @property
    def workers(self) -> WorkerStore: ...
    @property
    def deployments(self) -> DeploymentStore: ...
    @property
    def agents(self) -> AgentStore: ...
    @property
    def schedules(self) -> ScheduleStore: ...
    @property
    def secrets(self) -> SecretStore: ...
    @property
    def keys(self) -> KeyStore: ...
    @property
    def logins(self) -> LoginStore: ...
    @property
    def audit(self) -> AuditStore: ...
    @property
    def webhooks(self) -> WebhookStore: ...
    @property
    def retention(self) -> RetentionStore: ...
    @property
    def insights(self) -> InsightStore: ...

    async def check(self) -> None:
        """A cheap read and a durable write; raises when the store cannot take writes now."""
        ...

    async def close(self) -> None: ...
