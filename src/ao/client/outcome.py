"""What a run's end means to the caller who waits for it; no I/O."""

import time
from collections.abc import Mapping
from typing import Any

from ao.domain.errors import RunFailed, WaitTimeout
from ao.domain.run import TERMINAL, RunState

LONG_POLL_SECONDS = 20.0

Data = Mapping[str, Any]
"""A `RunView` as JSON values."""


def is_terminal(run: Data) -> bool:
    return run["state"] in TERMINAL


def output_of(run: Data) -> Any:
    """The output of a run that has ended. Raises RunFailed with what is known of the failure."""
    if run["state"] == RunState.COMPLETED:
        return run["output"]
    error = run.get("error") or {}
    message = error.get("message") or "no reason was recorded"
    raise RunFailed(
        f"run {run['id']} {'was cancelled' if run['state'] == RunState.CANCELLED else 'failed'}: {message}",
        hint=error.get("hint") or f"`ao logs {run['id']}` shows what it printed",
        details={"run_id": run["id"], "state": run["state"], "attempt": run["attempt"], "error": error},
    )


class Patience:
    """How long a waiter still waits."""

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._deadline = None if seconds is None else time.monotonic() + seconds
        self._asked = False

    def slice(self, run: Data) -> float:
        """Seconds of the next long poll. Raises WaitTimeout when the time is over."""
        if self._deadline is None:
            return LONG_POLL_SECONDS
        left = self._deadline - time.monotonic()
        if left <= 0 and self._asked:
            raise WaitTimeout(
                f"run {run['id']} is {run['state']} after {self._seconds:g} s; it goes on",
                hint=f"`ao show {run['id']}` tells its state later",
                details={"run_id": run["id"], "state": run["state"]},
            )
        self._asked = True
        return max(0.0, min(left, LONG_POLL_SECONDS))
