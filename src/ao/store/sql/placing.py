"""Claims while runs wait that not every worker may take: each worker looks at the placements that it can serve.

Nobody decides for all workers. A worker that is worse for a run than another one with room for it leaves it to
that one for a while; a run that was left for so long goes to whoever comes first.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

from ao.domain.placement import NOTHING, Amounts, leave_us, parse
from ao.domain.run import RunState
from ao.store.sql import fleet
from ao.store.sql.engine import Tx
from ao.store.sql.placing_sql import DELETE_PLACED, NEXT_FLOW, PICK_PLACED, QUEUES, UNDECIDED, queue_as
from ao.store.sql.taking import Taking, place_of

ROUNDS = 4
"""So many looks at the queues, and at flows of one, make a claim."""
HOLD_US = 30_000_000
"""A run that has waited for so long for resources is not overtaken any more by others that take some."""
CHECKED_AT_ONCE = 500
_ALWAYS = 1 << 62

GoRound = Callable[[Taking, int, int], None]
"""Take up to so many runs that any worker may take, of ranks up to that one."""


@dataclass(frozen=True, slots=True)
class _Queue:
    """Runs with one placement, as this worker sees them."""

    placement: str | None
    rank: int
    """Of the first."""
    needs: Amounts = NOTHING
    """Of each."""
    leave_us: int = 0
    """It leaves them to others until they have waited for so long."""


class Placing:
    def __init__(self) -> None:
        self._flows: dict[str, str] = {}
        """By placement: the flow that was served last."""
        self._last = ""
        """The placement that was served last."""

    def claim(self, taking: Taking, limit: int, go_round: GoRound) -> None:
        for _ in range(ROUNDS):
            left = limit - len(taking.claims)
            if left <= 0:
                return
            before = len(taking.claims), taking.moved
            self._take(taking, left, go_round)
            if (len(taking.claims), taking.moved) == before:
                return
        taking.claims.again_us = 0

    def _take(self, taking: Taking, limit: int, go_round: GoRound) -> None:
        """Of the queues with the highest priority those that come after the last one are first."""
        found, free = self._queues(taking)
        queues = sorted(found, key=lambda queue: (queue.rank, self._turn(queue)))
        for _, group in groupby(queues, lambda queue: queue.rank):
            same = list(group)
            before = len(taking.claims), taking.moved
            share = -(-limit // len(same))
            for queue in same:
                begun = len(taking.claims)
                left = free.times(queue.needs, min(share, limit - (begun - before[0])))
                if left <= 0:
                    continue
                if queue.placement is None:
                    go_round(taking, left, queue.rank)
                else:
                    self._take_placed(taking, queue, queue.placement, left)
                free -= queue.needs * (len(taking.claims) - begun)
                self._last = queue.placement or ""
            if (len(taking.claims), taking.moved) != before:
                return

    def _turn(self, queue: _Queue) -> tuple[bool, str]:
        name = queue.placement or ""
        return name <= self._last, name

    def _queues(self, taking: Taking) -> tuple[Sequence[_Queue], Amounts]:
        """Those that this worker can take from now, and what it has free."""
        tx = taking.tx
        peers = fleet.peers(tx)
        me = next(peer for peer in peers if peer.id == taking.worker_id)
        found, held = [], None
        for name, rank, since_us in tx.all(QUEUES, {}):
            if name is None:
                found.append(_Queue(None, rank))
                continue
            placement = parse(name)
            if placement.lacks(me.offer):
                continue
            if me.free.times(placement.needs, 1):
                found.append(_Queue(name, rank, placement.needs, leave_us(placement, me, peers)))
            elif tx.now_us - since_us > HOLD_US:
                held = rank if held is None else min(rank, held)
        if held is not None:
            found = [queue for queue in found if not _overtakes(queue, held)]
        return found, me.free

    def _take_placed(self, taking: Taking, queue: _Queue, placement: str, limit: int) -> None:
        tx, enough = taking.tx, len(taking.claims) + limit
        for _ in range(ROUNDS):
            where = {
                "placement": placement,
                "rank": queue.rank,
                "after": self._flows.get(placement, ""),
                "limit": enough - len(taking.claims),
                "until_us": tx.now_us - queue.leave_us if queue.leave_us else _ALWAYS,
            }
            row = tx.one(NEXT_FLOW, where)
            if row is None or row[0] is None:
                return
            where["flow"] = self._flows[placement] = row[0]
            rows = tx.all(PICK_PLACED, where)
            taking.divide(rows, placement)
            if len(taking.claims) >= enough:
                return
        if queue.leave_us:
            again_us = taking.claims.again_us
            taking.claims.again_us = queue.leave_us if again_us is None else min(again_us, queue.leave_us)


def _overtakes(queue: _Queue, held: int) -> bool:
    """It takes resources that a run which comes before has waited for too long."""
    return bool(queue.needs) and queue.rank >= held


class Review:
    """Looks again and again whether runs wait where they belong: what is live has changed since."""

    def __init__(self) -> None:
        self._after = ("", "")

    def go_on(self, tx: Tx) -> int:
        """Look at some; returns how many were moved."""
        moved, self._after = review(tx, *self._after)
        return moved


def review(tx: Tx, agent: str, run_id: str, limit: int = CHECKED_AT_ONCE) -> tuple[int, tuple[str, str]]:
    """Look at runs that wait, from (agent, run id) on: (how many were moved, where to go on)."""
    rows = tx.all(UNDECIDED, {"agent": agent, "run_id": run_id, "limit": limit})
    wrong, gone = [], []
    for row in rows:
        place = {"placement": row[0], "rank": row[1], "flow": row[2], "run_id": row[3]}
        if row[10] != RunState.PENDING:  # an earlier release, which does not know this queue, has ended it
            gone.append(place)
        elif row[5] is not None and (right := place_of(row[5], row[6], row[7], row[8], row[9] or "")) != row[0]:
            gone.append(place)
            wrong.append((row[3], right))
    if gone:
        tx.many(DELETE_PLACED, gone)
    if wrong:
        queue_as(tx, wrong)
    return len(gone), (rows[-1][4], rows[-1][3]) if len(rows) == limit else ("", "")
