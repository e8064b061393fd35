"""Claims: which runs a worker gets. The flows of a priority take turns: agents, and concurrency keys of them.

Whose turn it is next is no row that all claims would have to write: each process goes round by itself.
"""

from collections.abc import Sequence

from ao.domain.event import EventKind
from ao.domain.run import claim as claim_transition
from ao.ids import WorkerId
from ao.store.records import Claim
from ao.store.sql import run_sql as sql
from ao.store.sql.claim_sql import PICK, PICK_FIRST, TURN
from ao.store.sql.codec import state_event
from ao.store.sql.engine import Row, Tx

ROUNDS = 4
"""A claim of many runs is shared by so many flows: each look takes a part of it."""
_HIGHEST = -(1 << 62)


class Turns:
    def __init__(self) -> None:
        self._after = ""
        """The flow that was served last."""
        self._several = False
        """Of the last look: there were runs of more than one flow."""

    def claim(self, tx: Tx, worker_id: WorkerId, limit: int) -> list[Claim]:
        worker = tx.one(sql.LEASE, {"worker_id": worker_id})
        if worker is None:
            return []
        claims: list[Claim] = []
        if not self._several:
            rows = tx.all(PICK_FIRST, {"limit": limit})
            if not rows:
                return []
            self._several = bool(rows[0][-1])
            if not self._several:
                claims, blocked = _divide(tx, worker_id, worker[0], rows)
                if not blocked:
                    return claims
        return claims + self._go_round(tx, worker_id, worker[0], limit - len(claims))

    def _go_round(self, tx: Tx, worker_id: WorkerId, sandbox: str, limit: int) -> list[Claim]:
        share = -(-limit // ROUNDS)
        claims: list[Claim] = []
        floor, locked, more = _HIGHEST, set[str](), True
        while more and len(claims) < limit:
            left = limit - len(claims)
            where = {"floor": floor, "after": self._after, "limit": left, "share": min(share, left)}
            rows = tx.all(PICK, where)
            if rows:
                self._after = rows[0][-2]
                taken, blocked = _divide(tx, worker_id, sandbox, rows)
                claims += taken
                self._several = bool(rows[0][-1])
                more = blocked or self._several
                continue
            # Nothing is there, or another claim has locked it: then it is somebody else's turn.
            turn = tx.one(TURN, where)
            if turn is None:
                self._several = False
                break
            rank, self._after = turn
            floor = rank + 1 if self._after in locked else rank
            locked = set() if self._after in locked else {*locked, self._after}
        return claims


def _divide(tx: Tx, worker_id: WorkerId, sandbox: str, rows: Sequence[Row]) -> tuple[list[Claim], bool]:
    """Take what has a deployment; whether there was something else, which is put aside."""
    blocked = [row for row in rows if row[12] is None]
    _put_aside(tx, blocked)
    return _take(tx, worker_id, sandbox, [row for row in rows if row[12] is not None]), bool(blocked)


def _put_aside(tx: Tx, rows: Sequence[Row]) -> None:
    """Out of the way of later claims, until a pointer moves."""
    blocked = [{"rank": row[0], "flow": row[-2], "run_id": row[1]} for row in rows]
    if blocked:
        tx.many(sql.DELETE_READY, blocked)
        tx.many(sql.INSERT_BLOCKED, blocked)


def _take(tx: Tx, worker_id: WorkerId, sandbox: str, rows: Sequence[Row]) -> list[Claim]:
    if not rows:
        return []
    data = state_event(claim_transition(tx.now_us, f"worker:{worker_id}"))
    params = [
        {
            "rank": row[0],
            "flow": row[-2],
            "run_id": row[1],
            "fence": row[2],
            "attempt": row[3] + 1,
            "seq": row[4],
            "deployment_id": row[12],
            "worker_id": worker_id,
            "sandbox": sandbox,
            "due_us": row[18],
            "at_us": tx.now_us,
            "kind": EventKind.STATE.value,
            "data": data,
        }
        for row in rows
    ]
    tx.many(sql.DELETE_READY, params)
    tx.many(sql.CLAIM_HEAD, params)
    tx.many(sql.INSERT_ATTEMPT, params)
    tx.many(sql.INSERT_EVENT, params)
    return [sql.claim_from(row) for row in rows]
