"""What one claim takes of the queues, and what it finds in the wrong one."""

import json
from collections.abc import Sequence

from ao.domain.event import EventKind
from ao.domain.placement import placement_of
from ao.domain.run import claim as claim_transition
from ao.ids import WorkerId
from ao.store.records import Claims
from ao.store.sql import placing_sql
from ao.store.sql import run_sql as sql
from ao.store.sql.codec import state_event
from ao.store.sql.engine import Row, Tx

REMEMBERED = 4096
_Key = tuple[str, str | None, int | None]

_places: dict[_Key, str | None] = {}


def place_of(
    deployment_id: str, config: str, assistant: str | None, version: int | None, overrides: str
) -> str | None:
    """The placement of runs of a deployment, or of it with an assistant: they never change."""
    key = (deployment_id, assistant, version)
    if key not in _places:
        if len(_places) >= REMEMBERED:
            _places.clear()
        _places[key] = placement_of(json.loads(config), json.loads(overrides) if overrides else None)
    return _places[key]


class Taking:
    def __init__(self, tx: Tx, worker_id: WorkerId, sandbox: str) -> None:
        self.tx = tx
        self.worker_id = worker_id
        self._sandbox = sandbox
        self.claims = Claims()
        self.moved = 0
        """Runs that were in the wrong queue."""

    def divide(self, rows: Sequence[Row], placement: str | None = None) -> bool:
        """Of rows that were picked from a queue take those that belong there; whether there were others, which
        are put where they belong: away until a deployment is live, or into the queue of their placement."""
        mine, blocked, misplaced = [], [], []
        for row in rows:
            if row[12] is None:
                blocked.append(row)
            elif (right := place_of(row[12], row[15], row[21], row[22], row[23])) != placement:
                misplaced.append((row, right))
            else:
                mine.append(row)
        self._put_aside(blocked, placement)
        self._put_right(misplaced, placement)
        self._take(mine, placement)
        return bool(blocked or misplaced)

    def _put_aside(self, rows: Sequence[Row], placement: str | None) -> None:
        """Out of the way of later claims, until a pointer moves."""
        blocked = [_place(row, placement) for row in rows]
        if blocked:
            self._leave_queue(blocked, placement)
            self.tx.many(sql.INSERT_BLOCKED, blocked)

    def _put_right(self, rows: Sequence[tuple[Row, str | None]], placement: str | None) -> None:
        if rows:
            self._leave_queue([_place(row, placement) for row, _ in rows], placement)
            placing_sql.queue_as(self.tx, [(row[1], right) for row, right in rows])
            self.moved += len(rows)

    def _leave_queue(self, places: list[dict[str, object]], placement: str | None) -> None:
        self.tx.many(sql.DELETE_READY if placement is None else placing_sql.DELETE_PLACED, places)

    def _take(self, rows: Sequence[Row], placement: str | None) -> None:
        if not rows:
            return
        tx = self.tx
        data = state_event(claim_transition(tx.now_us, f"worker:{self.worker_id}"))
        params = [
            _place(row, placement)
            | {
                "fence": row[2],
                "attempt": row[3] + 1,
                "seq": row[4],
                "deployment_id": row[12],
                "worker_id": self.worker_id,
                "sandbox": self._sandbox,
                "due_us": row[18],
                "at_us": tx.now_us,
                "kind": EventKind.STATE.value,
                "data": data,
            }
            for row in rows
        ]
        self._leave_queue(params, placement)
        tx.many(sql.CLAIM_HEAD, params)
        tx.many(sql.INSERT_ATTEMPT, params)
        tx.many(sql.INSERT_EVENT, params)
        self.claims += [sql.claim_from(row) for row in rows]


def _place(row: Row, placement: str | None) -> dict[str, object]:
    return {"placement": placement, "rank": row[0], "flow": row[-2], "run_id": row[1]}
