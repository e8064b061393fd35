"""A run in the hands of one write: its head, locked, and the events that the write adds."""

from collections.abc import Sequence
from dataclasses import dataclass

from ao.domain.errors import NotFound, StaleWrite
from ao.domain.run import RunHead, RunState
from ao.ids import RunId
from ao.store.sql import run_sql as sql
from ao.store.sql.codec import EncodedEvent
from ao.store.sql.engine import Row, Tx


@dataclass(frozen=True, slots=True)
class Held:
    """A run's head, read (and on Postgres locked) in the write that changes it."""

    run_id: RunId
    head: RunHead
    next_seq: int
    worker_id: str | None
    due_us: int | None
    started_us: int | None
    deployment_id: str | None
    webhook: int | None
    """1 when somebody is to be told of the end."""
    gated: int | None
    """1 when it has gates."""
    session_base: int | None
    """None: it has no session. 0: it has not begun; else the version of its session before it."""
    placement: str | None
    """None: any worker may take it."""

    @property
    def waits_for_first_worker(self) -> bool:
        return self.head.state is RunState.PENDING and self.head.attempt == 0

    @property
    def actor(self) -> str:
        return f"worker:{self.worker_id}"


def hold(tx: Tx, run_id: RunId) -> Held:
    row = tx.one(sql.HELD, {"run_id": run_id})
    if row is None:
        raise NotFound(f"There is no run {run_id}.")
    return _held(run_id, row)


def hold_fenced(tx: Tx, run_id: RunId, fence: int) -> Held:
    row = tx.one(sql.HELD, {"run_id": run_id})
    if row is None or row[0] != RunState.RUNNING or row[1] != fence:
        raise stale(run_id, fence)
    return _held(run_id, row)


def stale(run_id: RunId, fence: int) -> StaleWrite:
    return StaleWrite(
        f"Run {run_id} is no longer owned with fence {fence}.", details={"run_id": run_id, "fence": fence}
    )


def _held(run_id: RunId, row: Row) -> Held:
    return Held(run_id, sql.head_from(row), *row[8:])


def insert_events(tx: Tx, run_id: RunId, first_seq: int, events: Sequence[EncodedEvent]) -> None:
    """Write events at the seqs that the head's write has taken."""
    rows = [
        {"run_id": run_id, "seq": seq, "kind": kind, "at_us": at_us, "data": data}
        for seq, (kind, at_us, data) in enumerate(events, first_seq)
    ]
    if len(rows) == 1:
        tx.run(sql.INSERT_EVENT, rows[0])
    else:
        tx.many(sql.INSERT_EVENT, rows)


def add_events(tx: Tx, held: Held, events: list[EncodedEvent]) -> None:
    """Events of a run that is held, whatever its state."""
    tx.run(sql.SET_NEXT_SEQ, {"run_id": held.run_id, "next_seq": held.next_seq + len(events)})
    insert_events(tx, held.run_id, held.next_seq, events)


_OTHERS = 64
"""More events than these nobody else adds to a run between two tries of its worker."""


def written_before(tx: Tx, held: Held, events: Sequence[EncodedEvent]) -> int | None:
    """The last seq of these events if the log has them already; nobody adds to it while the head is held. They
    were written together and carry their instants, so that nothing else is like them."""
    after = held.next_seq - 1 - len(events) - _OTHERS
    rows = tx.all(sql.EVENTS, {"run_id": held.run_id, "after_seq": after, "limit": len(events) + _OTHERS})
    log = [(kind, at_us, data) for _, kind, at_us, data in rows]
    for start in range(len(log) - len(events) + 1):
        if events and log[start : start + len(events)] == list(events):
            return int(rows[start + len(events) - 1][0])
    return None
