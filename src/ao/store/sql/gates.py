"""Gates in SQL: who holds one, who waits at it, and who is let in when somebody leaves.

A run passes its gates one after the other, in an order that is the same for all runs: those that are held
longer first. So two runs never wait for each other, and since a write locks gates in this order, too, neither
do two writes. Who holds a gate is told by rows, and every look at them follows the gate's lock.
"""

import heapq
from collections.abc import Iterable, Sequence

from ao.domain.run import RunState, Transition
from ao.ids import RunId
from ao.store.gates import Hold, Wait
from ao.store.records import NewRun
from ao.store.sql.engine import Engine, Tx
from ao.store.sql.placing_sql import requeue

_INSERT = """
INSERT INTO run_gate (run_id, name, hold, capacity, rank, state)
VALUES (:run_id, :name, :hold, :capacity, :rank, 'idle')"""

_COME_TO_NEXT = """
UPDATE run_gate SET state = 'waiting' WHERE run_id = :run_id AND name = (
  SELECT g.name FROM run_gate g WHERE g.run_id = :run_id AND g.state = 'idle' ORDER BY g.hold, g.name LIMIT 1)
RETURNING hold, name"""

_LOCK = "INSERT INTO gate (name) VALUES (:name) ON CONFLICT (name) DO UPDATE SET name = excluded.name"
_FORGET = "DELETE FROM gate WHERE name = :name"

_HELD = "SELECT COUNT(*) FROM run_gate WHERE name = :name AND state = 'held'"

_FIRST = """
SELECT run_id, capacity FROM run_gate WHERE name = :name AND state = 'waiting'
ORDER BY rank, run_id LIMIT 1"""

_LET_IN = "UPDATE run_gate SET state = 'held' WHERE run_id = :run_id AND name = :name"

_GATES_OF = "SELECT hold, name FROM run_gate WHERE run_id = :run_id"
_DROP = "DELETE FROM run_gate WHERE run_id = :run_id AND name = :name"
_LEAVE = "UPDATE run_gate SET state = 'idle' WHERE run_id = :run_id AND name = :name"

_WAITS_AT = "SELECT name, capacity, rank FROM run_gate WHERE run_id = :run_id AND state = 'waiting'"
_HOLDERS = "SELECT run_id FROM run_gate WHERE name = :name AND state = 'held' ORDER BY run_id LIMIT :limit"
_AHEAD = """
SELECT COUNT(*) FROM (
  SELECT 1 FROM run_gate WHERE name = :name AND state = 'waiting' AND (rank, run_id) < (:rank, :run_id)
  LIMIT :limit) q"""

HOLDERS_NAMED = 20
AHEAD_COUNTED = 10_000

Place = tuple[str, str]
"""A gate by how it is held and its name: the order in which gates are passed and locked."""


class SqlGateStore:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def wait_of(self, run_id: RunId) -> Wait | None:
        return await self._engine.read(lambda tx: wait_of(tx, run_id))


def arrive(tx: Tx, run: NewRun) -> None:
    """A new run comes to its gates."""
    where = {"run_id": run.id, "rank": -run.priority}
    tx.many(
        _INSERT,
        [where | {"name": gate.name, "hold": gate.hold, "capacity": gate.limit} for gate in run.gates],
    )
    queue(tx, [(run.id, True)])


def queue(tx: Tx, runs: Sequence[tuple[RunId, bool]]) -> None:
    """Pending runs (and whether each has gates) become claimable: those with gates once they hold them all."""
    free = [run_id for run_id, gated in runs if not gated]
    places = []
    for run_id, gated in runs:
        if gated:
            place = _come_to_next(tx, run_id)
            if place is None:
                free.append(run_id)
            else:
                places.append(place)
    if free:
        requeue(tx, free)
    _let_in(tx, places)


def after(tx: Tx, run_id: RunId, transition: Transition) -> int:
    """Leave the gates that a run does not hold after a transition; returns how many others became claimable."""
    if transition.to.terminal:
        return _let_in(tx, _places(tx, run_id), (run_id, _DROP))
    if transition.to is RunState.PAUSED or transition.due_us is not None:
        running = [place for place in _places(tx, run_id) if place[0] == Hold.RUNNING]
        return _let_in(tx, running, (run_id, _LEAVE))
    return 0


def _places(tx: Tx, run_id: RunId) -> list[Place]:
    return [(hold, name) for hold, name in tx.all(_GATES_OF, {"run_id": run_id})]


def _come_to_next(tx: Tx, run_id: RunId) -> Place | None:
    """None when the run holds all its gates."""
    row = tx.one(_COME_TO_NEXT, {"run_id": run_id})
    return None if row is None else (row[0], row[1])


def _let_in(tx: Tx, places: Iterable[Place], leaving: tuple[RunId, str] | None = None) -> int:
    """Go from gate to gate in the order of all writes; at each one, a run that leaves leaves, and then as many
    are let in as there is room for. Who has passed all gates is claimable; returns how many."""
    todo = list(set(places))
    heapq.heapify(todo)
    claimable = 0
    while todo:
        place = heapq.heappop(todo)
        name = place[1]
        tx.run(_LOCK, {"name": name})
        if leaving is not None:
            tx.run(leaving[1], {"run_id": leaving[0], "name": name})
        row = tx.one(_HELD, {"name": name})
        held = 0 if row is None else int(row[0])
        while (first := tx.one(_FIRST, {"name": name})) is not None and held < first[1]:
            tx.run(_LET_IN, {"run_id": first[0], "name": name})
            held += 1
            following = _come_to_next(tx, first[0])
            if following is None:
                requeue(tx, [first[0]])
                claimable += 1
            elif following not in todo:
                heapq.heappush(todo, following)
        if held == 0:
            tx.run(_FORGET, {"name": name})
    return claimable


def wait_of(tx: Tx, run_id: RunId) -> Wait | None:
    """Which gate a run waits at, and for whom."""
    row = tx.one(_WAITS_AT, {"run_id": run_id})
    if row is None:
        return None
    name, capacity, rank = row
    holders = tx.all(_HOLDERS, {"name": name, "limit": HOLDERS_NAMED})
    where = {"name": name, "rank": rank, "run_id": run_id, "limit": AHEAD_COUNTED}
    ahead = tx.one(_AHEAD, where)
    return Wait(name, capacity, [RunId(holder) for (holder,) in holders], 0 if ahead is None else int(ahead[0]))
