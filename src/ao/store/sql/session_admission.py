"""New runs of sessions, and the end of those that are in their way."""

from collections.abc import Sequence

from ao.domain.errors import Conflict, SessionBusy
from ao.domain.session import Change, Overlap, SessionUse
from ao.ids import RunId
from ao.store.sessions import SessionKey
from ao.store.sql import attempts
from ao.store.sql import session_versions as versions
from ao.store.sql.engine import Tx
from ao.store.sql.session_versions import Cause, Content

_TOUCH = """
INSERT INTO session (agent, session_id, created_us, used_us, actor)
VALUES (:agent, :session, :now, :now, :actor)
ON CONFLICT (agent, session_id) DO UPDATE SET used_us = excluded.used_us"""

_MADE = "SELECT created_us FROM session WHERE agent = :agent AND session_id = :session"

_OPEN = "SELECT run_id FROM session_run WHERE agent = :agent AND session_id = :session ORDER BY run_id"

_ENTER = """
INSERT INTO session_run (run_id, agent, session_id, undo) VALUES (:run_id, :agent, :session, 0)"""

_UNDO = "UPDATE session_run SET undo = 1 WHERE agent = :agent AND session_id = :session"


def enter(tx: Tx, run_id: RunId, agent: str, actor: str, use: SessionUse) -> Sequence[RunId]:
    """Add a run to its session, which is made if it does not exist; returns the runs that were cancelled for
    it. Who comes second waits here for the first, so that one of two finds the other."""
    key = SessionKey(agent, use.id)
    params = versions.params_of(key)
    tx.run(_TOUCH, {**params, "actor": actor})
    if use.known_us is not None and tx.all(_MADE, params)[0][0] > use.known_us:
        raise _other(key)
    if versions.latest(tx, key) is None:
        versions.insert(tx, key, 1, Cause(Change.CREATED, actor), None, Content())
    others = open_runs(tx, key)
    if others and use.on_overlap is Overlap.REJECT:
        raise busy(key, others, "use another `on_overlap`: enqueue, interrupt or rollback")
    if use.on_overlap is Overlap.ROLLBACK:
        tx.run(_UNDO, params)
    if use.on_overlap in (Overlap.INTERRUPT, Overlap.ROLLBACK):
        cancel_all(tx, others, actor)
    tx.run(_ENTER, {**params, "run_id": run_id})
    return others if use.on_overlap in (Overlap.INTERRUPT, Overlap.ROLLBACK) else ()


def _other(key: SessionKey) -> Conflict:
    return Conflict(
        f"Session {key.id} of {key.agent} was deleted, with what recorded steps have left in it: the run can "
        "only be replayed from the start.",
        hint="`--from-start`, or `begin` = `start` in the request, does every step again",
        details={"session": key.id, "agent": key.agent},
    )


def open_runs(tx: Tx, key: SessionKey) -> Sequence[RunId]:
    """Those that have not ended, oldest first."""
    return [RunId(row[0]) for row in tx.all(_OPEN, versions.params_of(key))]


def cancel_all(tx: Tx, runs: Sequence[RunId], actor: str) -> None:
    """Latest first: one that waits must not be let in by the end of the one before it."""
    for run_id in reversed(runs):
        attempts.cancel(tx, run_id, actor)


def busy(key: SessionKey, runs: Sequence[RunId], way_out: str) -> SessionBusy:
    return SessionBusy(
        f"Session {key.id} of {key.agent} has a run that has not ended: {runs[0]}.",
        hint=f"wait for it, cancel it, or {way_out}",
        details={"run_id": runs[0], "session": key.id, "agent": key.agent},
    )
