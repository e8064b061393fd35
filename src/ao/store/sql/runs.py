"""`ao.store.RunStore` in SQL."""

import itertools
import json
from collections.abc import Sequence

from ao.domain.errors import IdempotencyConflict, NotFound
from ao.domain.event import Event, EventKind, NewEvent
from ao.domain.outcome import AttemptOutcome
from ao.domain.placement import Peer
from ao.domain.run import RunState
from ao.domain.run import create as create_transition
from ao.ids import RunId, WorkerId
from ao.store.audit import NewAudit
from ao.store.gates import Wait
from ao.store.records import (
    Attempt,
    CancelResult,
    Claims,
    Created,
    FinishAttempt,
    Finished,
    NewRun,
    Run,
    RunFilter,
)
from ao.store.run_detail import RunDetail, Waiting
from ao.store.sql import attempts, gates, session_admission, session_runs, webhooks
from ao.store.sql import run_sql as sql
from ao.store.sql.audit import note
from ao.store.sql.codec import encode_events, state_event
from ao.store.sql.engine import Engine, Params, Tx
from ao.store.sql.fleet import peers
from ao.store.sql.held import hold_fenced, insert_events, stale, written_before
from ao.store.sql.placing import Review
from ao.store.sql.placing_sql import INSERT_PLACED, requeue
from ao.store.sql.questions import wake_due
from ao.store.sql.session_runs import writes_in
from ao.store.sql.steps import changes_in, put_steps, take_over
from ao.store.sql.turns import Turns


class SqlRunStore:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._turns = Turns()
        self._review = Review()

    async def create(self, run: NewRun, audit: NewAudit | None = None) -> Created:
        def write(tx: Tx) -> Created:
            created = create_run(tx, run)
            if created.is_new:
                note(tx, audit)
            return created

        return await self._engine.write(write)

    async def of_key(self, agent: str, idempotency_key: str) -> RunId | None:
        params: Params = {"agent": agent, "idempotency_key": idempotency_key}
        row = await self._engine.read(lambda tx: tx.one(sql.FIND_KEY, params))
        return None if row is None else RunId(row[0])

    async def claim(self, worker_id: WorkerId, limit: int) -> Claims:
        if limit <= 0:
            return Claims()
        return await self._engine.write(lambda tx: self._turns.claim(tx, worker_id, limit))

    async def append(
        self, run_id: RunId, fence: int, events: Sequence[NewEvent], *, again: bool = False
    ) -> int:
        encoded, changes, writes = encode_events(events), changes_in(events), writes_in(events)

        def write(tx: Tx) -> int:
            if again and (seq := written_before(tx, hold_fenced(tx, run_id, fence), encoded)) is not None:
                return seq
            row = tx.one(sql.TAKE_SEQS, {"run_id": run_id, "fence": fence, "count": len(encoded)})
            if row is None:
                raise stale(run_id, fence)
            insert_events(tx, run_id, row[0] - len(encoded), encoded)
            put_steps(tx, run_id, changes)
            for each in writes:
                session_runs.commit(tx, run_id, each)
            return int(row[0]) - 1

        return await self._engine.write(write)

    async def finish(
        self, report: FinishAttempt, outcome: AttemptOutcome, events: Sequence[NewEvent]
    ) -> Finished:
        encoded, changes, writes = encode_events(events), changes_in(events), writes_in(events)

        def write(tx: Tx) -> Finished:
            finished = attempts.finish(tx, report, outcome, encoded, writes)
            put_steps(tx, report.run_id, changes)
            return finished

        return await self._engine.write(write, urgent=True)

    async def hand_back(self, run_id: RunId, fence: int, events: Sequence[NewEvent]) -> None:
        encoded, changes, writes = encode_events(events), changes_in(events), writes_in(events)

        def write(tx: Tx) -> None:
            attempts.give_back(tx, run_id, fence, encoded, writes)
            put_steps(tx, run_id, changes)

        await self._engine.write(write, urgent=True)

    async def cancel(self, run_id: RunId, actor: str, audit: NewAudit | None = None) -> CancelResult:
        def write(tx: Tx) -> CancelResult:
            result = attempts.cancel(tx, run_id, actor)
            if result.changed:
                note(tx, audit)
            return result

        return await self._engine.write(write)

    async def overdue(self, limit: int) -> Sequence[RunId]:
        rows = await self._engine.read(lambda tx: tx.all(sql.OVERDUE, {"limit": limit}), small=True)
        return [run_id for (run_id,) in rows]

    async def expire(self, run_id: RunId) -> CancelResult:
        return await self._engine.write(lambda tx: attempts.expire_waiting(tx, run_id))

    async def promote_due(self, limit: int) -> int:
        return await self._engine.write(lambda tx: _promote_due(tx, limit))

    async def review(self, limit: int) -> int:
        return await self._engine.write(lambda tx: unblock(tx, limit) + self._review.go_on(tx))

    async def get(self, run_id: RunId) -> Run:
        row = await self._engine.read(lambda tx: tx.one(sql.GET, {"run_id": run_id}), small=True)
        if row is None:
            raise _unknown(run_id)
        return sql.run_from(row)

    async def queued(self, agent: str | None, limit: int) -> int:
        statement = sql.QUEUED if agent is None else sql.QUEUED_OF_AGENT
        row = await self._engine.read(lambda tx: tx.one(statement, {"agent": agent, "limit": limit}))
        return 0 if row is None else int(row[0])

    async def list(self, where: RunFilter, limit: int) -> Sequence[Run]:
        return await self._engine.read(lambda tx: _list(tx, where, limit))

    async def attempts(self, run_id: RunId) -> Sequence[Attempt]:
        rows = await self._engine.read(lambda tx: tx.all(sql.ATTEMPTS, {"run_id": run_id}))
        return [sql.attempt_from(row) for row in rows]

    async def detail(self, run_id: RunId) -> RunDetail:
        def read(tx: Tx) -> RunDetail:
            rows = tx.all(sql.DETAIL, {"run_id": run_id})
            if not rows:
                raise _unknown(run_id)
            placement, gate = rows[0][sql.ATTEMPT_WIDTH :][sql.WAITING_WIDTH - 2 : sql.WAITING_WIDTH]
            return sql.detail_from(rows, tx.now_us, *_more(tx, run_id, placement, gate))

        return await self._engine.read(read)

    async def waiting(self, run_id: RunId) -> Waiting | None:
        def read(tx: Tx) -> Waiting | None:
            row = tx.one(sql.WAITING, {"run_id": run_id})
            if row is None:
                return None
            return sql.waiting_from(row, tx.now_us, *_more(tx, run_id, *row[-2:]))

        return await self._engine.read(read)

    async def events(self, run_id: RunId, after_seq: int, limit: int) -> Sequence[Event]:
        params = {"run_id": run_id, "after_seq": after_seq, "limit": limit}
        rows = await self._engine.read(lambda tx: tx.all(sql.EVENTS, params))
        return [Event(seq, EventKind(kind), at_us, json.loads(data)) for seq, kind, at_us, data in rows]


def _more(tx: Tx, run_id: RunId, placement: str | None, gate: str | None) -> tuple[Wait | None, Sequence[Peer]]:
    """What a run waits for that has a placement, or waits at a gate."""
    return (None if gate is None else gates.wait_of(tx, run_id)), (() if placement is None else peers(tx))


def _unknown(run_id: RunId) -> NotFound:
    return NotFound(f"There is no run {run_id}.", hint="`ao runs` lists them.")


def create_run(tx: Tx, run: NewRun) -> Created:
    params: Params = {
        "run_id": run.id,
        "agent": run.agent,
        "environment": run.environment,
        "input": run.input.inline,
        "input_blob": run.input.blob,
        "actor": run.actor,
        "priority": run.priority,
        "rank": -run.priority,
        "flow": run.agent if run.concurrency_key is None else f"{run.agent}:{run.concurrency_key}",
        "deployment_id": run.deployment_id,
        "schedule_id": run.schedule_id,
        "tick_us": run.tick_us,
        "lineage": run.lineage or run.id,
        "idempotency_key": run.idempotency_key,
        "request_hash": run.request_hash,
        "webhook": None if run.webhook is None else 1,
        "fork_of": None if run.fork is None else run.fork.of,
        "fork_step": None if run.fork is None else run.fork.step,
        "concurrency_key": run.concurrency_key,
        "gated": 1 if run.gates else None,
        "session": None if run.session is None else run.session.id,
        "session_base": None if run.session is None else 0,
        "assistant": run.assistant,
        "assistant_version": run.assistant_version,
        "placement": run.placement,
    }
    if run.idempotency_key is not None and tx.count(sql.TAKE_KEY, params) == 0:
        return _repeated(tx, run, params)
    cancelled: Sequence[RunId] = ()
    if run.session is not None:
        cancelled = session_admission.enter(tx, run.id, run.agent, run.actor, run.session)
    tx.run(sql.INSERT_RUN, params)
    tx.run(sql.INSERT_HEAD, params)
    if not run.gates:
        tx.run(sql.INSERT_READY if run.placement is None else INSERT_PLACED, params)
    if run.queue_seconds is not None:
        tx.run(sql.SET_TIMER, {"run_id": run.id, "due_us": tx.now_us + int(run.queue_seconds * 1e6)})
    if run.webhook is not None:
        webhooks.keep(tx, run.id, run.webhook)
    if run.fork is not None:
        take_over(tx, run.id, run.fork)
    data = state_event(create_transition(tx.now_us, run.actor))
    insert_events(tx, run.id, 1, [(EventKind.STATE.value, tx.now_us, data)])
    if run.gates:
        gates.arrive(tx, run)  # last: gates are shared
    return Created(run.id, True, cancelled)


def _repeated(tx: Tx, run: NewRun, params: Params) -> Created:
    row = tx.one(sql.FIND_KEY, params)
    if row is None or row[1] != run.request_hash:
        raise IdempotencyConflict(
            f"The idempotency key {run.idempotency_key!r} was used for another request to {run.agent}.",
            hint="Use a new key for a new request.",
            details={"run_id": None if row is None else row[0]},
        )
    return Created(RunId(row[0]), False)


def _promote_due(tx: Tx, limit: int) -> int:
    due = [(run_id, gated is not None) for run_id, gated in tx.all(sql.TAKE_DUE, {"limit": limit})]
    woken = wake_due(tx, limit)
    gates.queue(tx, [*due, *woken])
    return len(due) + len(woken)


def unblock(tx: Tx, limit: int = 1000) -> int:
    """Make runs claimable that waited for a deployment and have one now; returns how many."""
    rows = tx.all(sql.TAKE_UNBLOCKED, {"limit": limit})
    if rows:
        requeue(tx, [run_id for (run_id,) in rows])
    return len(rows)


def _list(tx: Tx, where: RunFilter, limit: int) -> list[Run]:
    """One bounded probe per agent, state and meaning of the assistant's name, merged: each can use an index in
    the order of the answer."""
    agents: Sequence[str | None] = where.agents or [where.agent]
    states: Sequence[RunState | None] = list(dict.fromkeys(where.states)) or [None]
    assistants = ["named", "own"] if where.assistant is not None else [""]
    probes = list(itertools.product(agents, states, assistants))
    runs = []
    for agent, state, assistant in probes:
        params = {
            "agent": agent,
            "version": where.version,
            "before": where.before,
            "assistant": where.assistant,
            "session": where.session,
            "limit": limit,
        }
        probe = sql.list_sql(
            state=state,
            agent=agent is not None,
            version=where.version is not None,
            before=where.before is not None,
            session=where.session is not None,
            assistant=assistant,
        )
        runs += [sql.run_from(row) for row in tx.all(probe, params)]
    if len(probes) == 1:
        return runs
    runs.sort(key=lambda run: run.id, reverse=True)
    return runs[:limit]
