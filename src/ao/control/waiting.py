"""Why a run has not started yet, in a sentence."""

from ao.clock import to_datetime
from ao.store.records import Run
from ao.store.run_detail import Waiting


def why_pending(run: Run, waiting: Waiting) -> str:
    """What a pending run waits for: its time, a deployment, a worker or a slot."""
    if run.due_us is not None and run.due_us > waiting.now_us:
        due = to_datetime(run.due_us).strftime("%H:%M:%S")
        if run.error is None:
            day = to_datetime(run.due_us).strftime("%Y-%m-%d")
            return f"it sleeps until {day} {due} UTC"
        return f"attempt {run.head.attempt} failed; attempt {run.head.attempt + 1} starts at {due} UTC"
    if waiting.blocked:
        return f"{run.agent} has no live version; it starts as soon as one is deployed"
    if not waiting.workers:
        return "no worker is connected; it starts as soon as one is"
    if waiting.running >= waiting.slots:
        return f"all {waiting.slots} slots are busy; in the queue: {waiting.ready}"
    return "it is about to be claimed"
