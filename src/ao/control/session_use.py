"""The session of a new run: what was asked for, the gate that lets in one at a time, and whom it ends."""

from collections.abc import Sequence

from ao.bus import CANCEL, Bus, announce
from ao.domain.errors import InvalidInput, Problem
from ao.domain.session import Overlap, SessionUse
from ao.ids import RunId
from ao.store.gates import Gate, Hold
from ao.wire.schemas import RunCreate


def session_of(request: RunCreate) -> SessionUse | None:
    """Raises InvalidInput for an `on_overlap` without a session."""
    if request.session is not None:
        return SessionUse(request.session, request.on_overlap or Overlap.ENQUEUE)
    if request.on_overlap is None:
        return None
    problem = Problem("on_overlap", "belongs to a run of a session", "name a `session`")
    raise InvalidInput(f"on_overlap {problem.message}", hint=problem.hint, problems=[problem])


def gates_of(agent: str, use: SessionUse | None) -> Sequence[Gate]:
    """A session has one run at a time, from its start to its end: a paused one holds it."""
    return () if use is None else (Gate(f"session:{agent}:{use.id}", 1, Hold.OPEN),)


def announce_cancelled(bus: Bus, runs: Sequence[RunId]) -> None:
    """Some were cancelled at once; workers have to stop the others."""
    if runs:
        bus.publish(CANCEL)
    for run_id in runs:
        announce(bus, run_id)
