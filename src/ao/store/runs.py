"""Runs, what they wrote and who executes them. See `ao.store` for what every method promises."""

from collections.abc import Sequence
from typing import Protocol

from ao.domain.event import Event, NewEvent
from ao.domain.outcome import AttemptOutcome
from ao.domain.placement import ANYTHING, Offer
from ao.ids import RunId, WorkerId
from ao.store.audit import NewAudit
from ao.store.records import (
    Attempt,
    CancelResult,
    Claims,
    Created,
    FinishAttempt,
    Finished,
    LostRuns,
    NewRun,
    Run,
    RunFilter,
)
from ao.store.run_detail import RunDetail, Waiting
from ao.store.worker_records import Beat, Fleet, Worker


class RunStore(Protocol):
    async def create(self, run: NewRun, audit: NewAudit | None = None) -> Created:
        """Accept a run: request, first transition and ready row (or its place at a gate) in one write, with an
        audit entry if it is one.

        With an idempotency key that was used (per agent): the same request answers with the first run
        (`is_new` False), another request raises `IdempotencyConflict`. A run of a session is added to it
        as its `Overlap` says, which may raise `SessionBusy`.
        """
        ...

    async def of_key(self, agent: str, idempotency_key: str) -> RunId | None:
        """The run that an idempotency key was used for."""
        ...

    async def claim(self, worker_id: WorkerId, limit: int) -> Claims:
        """Take up to `limit` ready runs, highest priority first, oldest first within one.

        Of runs with a placement only those that the worker has all for that they require, and room: what they
        take of memory, cores and GPUs is theirs while they go on. A run that another worker is better for, and
        has room for, is left to it for a while (`ao.domain.placement.leave_us`).

        A run without a deployment is resolved to `stable` of its environment here and keeps it. Each
        claim raises the fence, opens the attempt's row and writes its transition. A worker whose lease
        has ended, that drains, or that is unknown, gets nothing.
        """
        ...

    async def append(
        self, run_id: RunId, fence: int, events: Sequence[NewEvent], *, again: bool = False
    ) -> int:
        """Append events of a running attempt, with the steps that they carry; returns the last seq. Refused
        when stale. A step that is completed already stays as it is.

        `again`: whether an earlier call with the same events wrote them is unknown; they are there once."""
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

    async def overdue(self, limit: int) -> Sequence[RunId]:
        """Runs that no worker has taken within their `queue_seconds`, and that are to `expire`."""
        ...

    async def expire(self, run_id: RunId) -> CancelResult:
        """Cancel a run that is still waiting for its first worker; any other is left alone."""
        ...

    async def promote_due(self, limit: int) -> int:
        """Make up to `limit` delayed runs that are due claimable, and as many paused ones whose time is over;
        returns how many."""
        ...

    async def review(self, limit: int) -> int:
        """Look at runs that wait for a deployment to be live, or in the queue of a placement: some that need
        not any more, or wait in the wrong queue, are put right. Returns how many."""
        ...

    async def queued(self, agent: str | None, limit: int) -> int:
        """How many runs (of an agent) could be claimed now or wait at a gate; `limit` when there are so many
        or more."""
        ...

    async def get(self, run_id: RunId) -> Run:
        """The run, or `NotFound`."""
        ...

    async def list(self, where: RunFilter, limit: int) -> Sequence[Run]:
        """Newest first."""
        ...

    async def attempts(self, run_id: RunId) -> Sequence[Attempt]: ...

    async def detail(self, run_id: RunId) -> RunDetail:
        """The run, its attempts and what it waits for, as they were at one instant, or `NotFound`. One
        statement."""
        ...

    async def waiting(self, run_id: RunId) -> Waiting | None:
        """What a pending run waits for; None for any other. One statement."""
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


class WorkerStore(Protocol):
    async def register(
        self,
        worker_id: WorkerId,
        name: str,
        slots: int,
        sandbox: str,
        lease_us: int,
        offer: Offer = ANYTHING,
        version: str = "",
    ) -> None: ...

    async def heartbeat(self, worker_id: WorkerId, lease_us: int, busy: int = 0, hold: str = "") -> Beat:
        """Extend the lease to now + `lease_us`, and tell how many slots are busy, and why it takes nothing
        (empty: it does); returns what this worker executes, as the store knows it, and whether runs wait. One
        statement while it executes nothing.

        Raises `StaleWrite` when the lease had ended and was swept: the worker must stop everything.
        """
        ...

    async def drain(self, worker_id: WorkerId, audit: NewAudit | None = None) -> Worker:
        """The worker gets nothing more, and is told with its next heartbeat: it may be gone a moment later.
        NotFound when it is not there."""
        ...

    async def retire(self, worker_id: WorkerId) -> LostRuns:
        """End a worker's lease now; runs it still owned are treated as lost."""
        ...

    async def sweep(self, limit: int) -> LostRuns:
        """Treat the runs of workers whose lease has ended as lost, up to `limit` runs."""
        ...

    async def list(self) -> Sequence[Worker]: ...

    async def fleet(self) -> Fleet:
        """The workers, what they execute and what waits. Two statements."""
        ...

    async def now_us(self) -> int:
        """The store's clock, by which leases end and sleepers wake."""
        ...

    async def counts(self) -> dict[str, int]:
        """Runs that are `ready`, `delayed`, `waiting` at a gate and `running`."""
        ...
