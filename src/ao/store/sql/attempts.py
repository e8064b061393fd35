"""How a run leaves a state: the one guarded write, with its events, for outcomes, losses and cancels."""

from collections.abc import Sequence

from ao.domain.event import EventKind
from ao.domain.outcome import AttemptOutcome, ErrorInfo, OutcomeKind
from ao.domain.retry import RetryPolicy
from ao.domain.run import (
    Reason,
    RunState,
    Transition,
    after_attempt,
    cancel_waiting,
    expire,
    hand_back,
    resume,
)
from ao.domain.session import SessionWrite
from ao.ids import RunId, WorkerId
from ao.store.insights import bucket_of, hour_of
from ao.store.records import CancelResult, FinishAttempt, Finished, Payload
from ao.store.sql import gates, session_runs, webhooks
from ao.store.sql import run_sql as sql
from ao.store.sql.codec import EncodedEvent, error_dict, error_text, state_event, to_json
from ao.store.sql.dead_letters import put_dead_letter
from ao.store.sql.engine import Tx
from ao.store.sql.held import Held, add_events, hold, hold_fenced, insert_events, stale
from ao.store.sql.pauses import put_aside
from ao.store.sql.placing_sql import DROP_PLACED, requeue_held

_NO_RETRY = RetryPolicy()
"""Losses and cancels do not look at the policy."""


TALLY_SHARDS = 4
REMEMBERED_DEPLOYMENTS = 4096


def finish(
    tx: Tx,
    report: FinishAttempt,
    outcome: AttemptOutcome,
    events: list[EncodedEvent],
    writes: Sequence[SessionWrite] = (),
) -> Finished:
    """`writes` to the session belong to events; the report's own counts when the run completes or pauses."""
    held = hold_fenced(tx, report.run_id, report.fence)
    _commit(tx, held, writes)
    if outcome.pause is not None and not held.head.cancel_requested:
        _commit(tx, held, [report.session] if report.session else [])
        transition, asked = put_aside(tx, held, outcome.pause)
        return _end(tx, held, outcome, transition, [*events, *asked], tx.now_us, None)
    transition = after_attempt(held.head, outcome, report.policy, tx.now_us, held.actor, report.random)
    if transition.to is RunState.COMPLETED and report.session is not None:
        _commit(tx, held, [report.session])
    output = report.output
    if output is None and transition.output is not None:
        output = Payload(transition.output)
    return _end(tx, held, outcome, transition, events, tx.now_us, output)


def _commit(tx: Tx, held: Held, writes: Sequence[SessionWrite]) -> None:
    for write in writes:
        session_runs.commit(tx, held.run_id, write)


def lose(tx: Tx, run_id: RunId, message: str, alive_us: int, actor: str) -> RunState | None:
    """The worker of a running run went away; None when the run was not running any more.

    `alive_us` is when the worker was last known to be there: time after it does not count as active.
    """
    held = hold(tx, run_id)
    if held.head.state is not RunState.RUNNING:
        return None
    outcome = AttemptOutcome(OutcomeKind.LOST, error=ErrorInfo(OutcomeKind.LOST, message))
    transition = after_attempt(held.head, outcome, _NO_RETRY, tx.now_us, actor, 0.0)
    ended_us = max(alive_us, held.head.attempt_started_us or 0)
    return _end(tx, held, outcome, transition, [], ended_us, None).state


def give_back(
    tx: Tx, run_id: RunId, fence: int, events: list[EncodedEvent], writes: Sequence[SessionWrite] = ()
) -> None:
    """Hand back; a run that was asked to cancel is cancelled instead of being queued again."""
    held = hold_fenced(tx, run_id, fence)
    _commit(tx, held, writes)
    now_us = tx.now_us
    if held.head.cancel_requested:
        error = ErrorInfo(OutcomeKind.CANCELLED, "cancelled while its worker shut down")
        outcome = AttemptOutcome(OutcomeKind.CANCELLED, error=error)
        transition = after_attempt(held.head, outcome, _NO_RETRY, now_us, held.actor, 0.0)
        _end(tx, held, outcome, transition, events, now_us, None)
        return
    transition = hand_back(now_us, held.actor)
    _leave(tx, held, transition, events, now_us)
    tx.run(sql.END_ATTEMPT, _attempt_row(held, None, now_us))
    requeue_held(tx, held)


def cancel(tx: Tx, run_id: RunId, actor: str) -> CancelResult:
    held = hold(tx, run_id)
    state = held.head.state
    if state is RunState.RUNNING:
        return _ask_to_cancel(tx, held, actor)
    if state.terminal:
        return CancelResult(state, None, changed=False)
    return _end_waiting(tx, held, cancel_waiting(state, tx.now_us, actor))


def expire_waiting(tx: Tx, run_id: RunId) -> CancelResult:
    """End a run that no worker has taken in time."""
    held = hold(tx, run_id)
    if tx.count(sql.DROP_OVERDUE, {"run_id": run_id}) == 0 or not held.waits_for_first_worker:
        return CancelResult(held.head.state, None, changed=False)
    return _end_waiting(tx, held, expire(tx.now_us))


def _end_waiting(tx: Tx, held: Held, transition: Transition) -> CancelResult:
    """Write the end of a run that no worker has."""
    run_id = held.run_id
    _leave(tx, held, transition, [], tx.now_us)
    _put_outcome(tx, held, transition, None)
    if held.head.state is RunState.PAUSED:
        _drop_timer(tx, held)
        others_claimable = _pass_on(tx, held, transition)
        _count(tx, held, transition)
        return CancelResult(RunState.CANCELLED, None, others_claimable=others_claimable)
    if held.due_us is not None:
        tx.run(sql.DROP_DELAYED, {"run_id": run_id, "due_us": held.due_us})
    tx.run(sql.DROP_BLOCKED, {"run_id": run_id})
    others_claimable = _pass_on(tx, held, transition)
    _count(tx, held, transition)
    # last: a promotion that was waited for has put it there
    if held.placement is None:
        tx.run(sql.DROP_READY, {"run_id": run_id})
    else:
        tx.run(DROP_PLACED, {"placement": held.placement, "run_id": run_id})
    return CancelResult(RunState.CANCELLED, None, others_claimable=others_claimable)


def _ask_to_cancel(tx: Tx, held: Held, actor: str) -> CancelResult:
    """The worker stops it; who wanted that is in the log once."""
    worker_id = None if held.worker_id is None else WorkerId(held.worker_id)
    if held.head.cancel_requested:
        return CancelResult(RunState.RUNNING, worker_id, changed=False)
    tx.run(sql.REQUEST_CANCEL, {"run_id": held.run_id})
    add_events(tx, held, [(EventKind.CANCEL_REQUESTED.value, tx.now_us, to_json({"actor": actor}))])
    return CancelResult(RunState.RUNNING, worker_id)


def go_on(tx: Tx, held: Held, reason: Reason, actor: str, events: list[EncodedEvent]) -> None:
    """A paused run is pending again; the caller queues it."""
    _leave(tx, held, resume(RunState.PAUSED, reason, tx.now_us, actor), events, tx.now_us)
    _drop_timer(tx, held)


def _pass_on(tx: Tx, held: Held, transition: Transition) -> bool:
    """Leave gates, late in the write because runs share them; whether that made other runs claimable."""
    return held.gated is not None and gates.after(tx, held.run_id, transition) > 0


def _drop_timer(tx: Tx, held: Held) -> None:
    if held.due_us is not None:
        tx.run(sql.DROP_TIMER, {"run_id": held.run_id, "due_us": held.due_us})


def _end(
    tx: Tx,
    held: Held,
    outcome: AttemptOutcome,
    transition: Transition,
    events: list[EncodedEvent],
    ended_us: int,
    output: Payload | None,
) -> Finished:
    """Write the end of an attempt: head, events, attempt, outcome and what makes it claimable again."""
    row = _attempt_row(held, outcome, ended_us)
    events = [*events, _attempt_finished(held, outcome, ended_us, transition.at_us)]
    last_seq = _leave(tx, held, transition, events, ended_us)
    tx.run(sql.END_ATTEMPT, row)
    if transition.to.terminal or transition.error is not None or outcome.pause is not None:
        _put_outcome(tx, held, transition, output)
    if transition.to is RunState.PENDING:
        if transition.due_us is None:
            requeue_held(tx, held)
        else:
            tx.run(sql.DELAY, {"run_id": held.run_id, "due_us": transition.due_us})
    elif transition.to is RunState.PAUSED and transition.due_us is not None:
        tx.run(sql.SET_TIMER, {"run_id": held.run_id, "due_us": transition.due_us})
    if transition.to is RunState.FAILED:
        put_dead_letter(tx, held.run_id, transition)
    others_claimable = _pass_on(tx, held, transition)
    if transition.to.terminal:
        _count(tx, held, transition)
    return Finished(transition.to, transition.due_us, last_seq, others_claimable)


def _leave(tx: Tx, held: Held, transition: Transition, events: list[EncodedEvent], ended_us: int) -> int:
    """The guarded write of the head, and the events up to the `state` event, whose seq is returned."""
    head = held.head
    events = [*events, (EventKind.STATE.value, transition.at_us, state_event(transition))]
    started_us = ended_us if head.attempt_started_us is None else head.attempt_started_us
    changed = tx.count(
        sql.LEAVE_HEAD,
        {
            "run_id": held.run_id,
            "from": transition.frm,
            "to": transition.to,
            "fence": head.fence,
            "next_seq": held.next_seq + len(events),
            "failures": head.failures + transition.failed_attempt,
            "losses": head.losses + transition.lost_attempt,
            "active_us": head.active_us + max(0, ended_us - started_us),
            "due_us": transition.due_us,
            "finished_us": transition.at_us if transition.to.terminal else None,
        },
    )
    if changed != 1:
        raise stale(held.run_id, head.fence)
    insert_events(tx, held.run_id, held.next_seq, events)
    if held.webhook and transition.to.terminal:
        webhooks.enqueue(tx, held.run_id)
    if held.session_base is not None and transition.to.terminal:
        session_runs.release(tx, held.run_id, held.session_base, transition.actor)
    return held.next_seq + len(events) - 1


def _count(tx: Tx, held: Held, transition: Transition) -> None:
    """Add an ended run to the tally: as late in the write as possible, because runs share its rows."""
    agent, version = _tallied_as(tx, held)
    started_us = transition.at_us if held.started_us is None else held.started_us
    params = {
        "hour_us": hour_of(transition.at_us),
        "agent": agent,
        "version": version,
        "state": transition.to,
        "bucket": bucket_of(transition.at_us - started_us),
        "shard": int(held.run_id[-1], 16) % TALLY_SHARDS,
    }
    tx.run(sql.COUNT_END, params)


def _tallied_as(tx: Tx, held: Held) -> tuple[str, int]:
    """Agent and version; those of a deployment never change and are remembered."""
    known = _tallied.get(held.deployment_id or "")
    if known is None:
        row = tx.one(sql.TALLIED_AS, {"run_id": held.run_id, "deployment_id": held.deployment_id})
        assert row is not None
        known = (row[0], row[1])
        if held.deployment_id is not None:
            if len(_tallied) >= REMEMBERED_DEPLOYMENTS:
                _tallied.clear()
            _tallied[held.deployment_id] = known
    return known


_tallied: dict[str, tuple[str, int]] = {}


def _put_outcome(tx: Tx, held: Held, transition: Transition, output: Payload | None) -> None:
    completed = transition.to is RunState.COMPLETED
    tx.run(
        sql.PUT_OUTCOME,
        {
            "run_id": held.run_id,
            "output": output.inline if completed and output else None,
            "output_blob": output.blob if completed and output else None,
            "error": error_text(transition.error),
        },
    )


def _attempt_row(held: Held, outcome: AttemptOutcome | None, ended_us: int) -> dict[str, object]:
    return {
        "run_id": held.run_id,
        "attempt": held.head.attempt,
        "at_us": ended_us,
        "kind": None if outcome is None else outcome.kind,
        "error": None if outcome is None else error_text(outcome.error),
        "exit_code": None if outcome is None else outcome.exit_code,
        "max_rss_bytes": None if outcome is None else outcome.max_rss_bytes,
        "cpu_seconds": None if outcome is None else outcome.cpu_seconds,
        "sandbox": "" if outcome is None else outcome.sandbox,
    }


def _attempt_finished(held: Held, outcome: AttemptOutcome, ended_us: int, at_us: int) -> EncodedEvent:
    started_us = ended_us if held.head.attempt_started_us is None else held.head.attempt_started_us
    data: dict[str, object] = {
        "attempt": held.head.attempt,
        "kind": outcome.kind,
        "duration_us": max(0, ended_us - started_us),
    }
    if outcome.error is not None:
        data["error"] = error_dict(outcome.error)
    for name in ("exit_code", "max_rss_bytes", "cpu_seconds"):
        if (value := getattr(outcome, name)) is not None:
            data[name] = value
    return EventKind.ATTEMPT_FINISHED.value, at_us, to_json(data)
