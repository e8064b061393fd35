"""Claims: which runs a worker gets. The flows of a priority take turns: agents, and concurrency keys of them.

Whose turn it is next is no row that all claims would have to write: each process goes round by itself.
"""

from ao.ids import WorkerId
from ao.store.records import Claims
from ao.store.sql import run_sql as sql
from ao.store.sql.claim_sql import PICK, PICK_FIRST, TURN
from ao.store.sql.engine import Tx
from ao.store.sql.placing import Placing
from ao.store.sql.taking import Taking

ROUNDS = 4
"""A claim of many runs is shared by so many flows: each look takes a part of it."""
MOVED_AT_ONCE = 200
"""One claim puts no more runs than that into the queue where they belong."""
_HIGHEST, _LOWEST = -(1 << 62), 1 << 62


class Turns:
    def __init__(self) -> None:
        self._after = ""
        """The flow that was served last."""
        self._several = False
        """Of the last look: there were runs of more than one flow."""
        self._placing = Placing()

    def claim(self, tx: Tx, worker_id: WorkerId, limit: int) -> Claims:
        worker = tx.one(sql.LEASE, {"worker_id": worker_id})
        if worker is None:
            return Claims()
        taking = Taking(tx, worker_id, worker[0])
        if worker[1]:
            self._placing.claim(taking, limit, self._go_round)
            self._several = True  # nobody has looked
        else:
            self._take_unplaced(taking, limit)
        return taking.claims

    def _take_unplaced(self, taking: Taking, limit: int) -> None:
        if not self._several:
            rows = taking.tx.all(PICK_FIRST, {"limit": limit})
            if not rows:
                return
            self._several = bool(rows[0][-1])
            if not self._several and not taking.divide(rows):
                return
        self._go_round(taking, limit - len(taking.claims))

    def _go_round(self, taking: Taking, limit: int, lowest: int = _LOWEST) -> None:
        """Take up to `limit` runs of a rank up to `lowest`, of flow after flow."""
        tx, share, enough = taking.tx, -(-limit // ROUNDS), len(taking.claims) + limit
        floor, locked, more = _HIGHEST, set[str](), True
        while more and len(taking.claims) < enough:
            left = enough - len(taking.claims)
            where = {
                "floor": floor,
                "lowest": lowest,
                "after": self._after,
                "limit": left,
                "share": min(share, left),
            }
            rows = tx.all(PICK, where)
            if rows:
                self._after = rows[0][-2]
                others = taking.divide(rows)
                self._several = bool(rows[0][-1])
                more = others or self._several
                if taking.moved >= MOVED_AT_ONCE:
                    taking.claims.again_us = 0
                    return
                continue
            # Nothing is there, or another claim has locked it: then it is somebody else's turn.
            turn = tx.one(TURN, where)
            if turn is None:
                self._several = False
                break
            rank, self._after = turn
            floor = rank + 1 if self._after in locked else rank
            locked = set() if self._after in locked else {*locked, self._after}
