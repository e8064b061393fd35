"""Why a run has not started yet, in a sentence."""

from ao.clock import to_datetime
from ao.control.concurrency import PREFIX
from ao.store.gates import Wait
from ao.store.records import Run
from ao.store.run_detail import Waiting

HOLDERS_NAMED = 3


def why_pending(run: Run, waiting: Waiting) -> str:
    """What a pending run waits for: its time, other runs, a deployment, a worker or a slot."""
    if run.due_us is not None and run.due_us > waiting.now_us:
        due = to_datetime(run.due_us).strftime("%H:%M:%S")
        if run.error is None:
            day = to_datetime(run.due_us).strftime("%Y-%m-%d")
            return f"it sleeps until {day} {due} UTC"
        return f"attempt {run.head.attempt} failed; attempt {run.head.attempt + 1} starts at {due} UTC"
    if waiting.gate is not None:
        return gate_sentence(waiting.gate)
    if waiting.blocked:
        return f"{run.agent} has no live version; it starts as soon as one is deployed"
    if not waiting.workers:
        return "no worker is connected; it starts as soon as one is"
    if waiting.running >= waiting.slots:
        whose = "concurrency key" if run.concurrency_key else "agent"
        before = f", of the same {whose} before it: {waiting.ahead}" if waiting.ahead else ""
        return f"all {waiting.slots} slots are busy; in the queue: {waiting.ready}{before}"
    return "it is about to be claimed"


def gate_sentence(wait: Wait) -> str:
    """For whom a run waits, by which rule, and behind how many others."""
    named = ", ".join(wait.holders[:HOLDERS_NAMED])
    more = len(wait.holders) - HOLDERS_NAMED
    holders = f"{named} and {more} more" if more > 0 else named or "its turn"
    runs = "one run goes" if wait.limit == 1 else f"{wait.limit} runs go"
    queue = f"; in the queue before it: {wait.ahead}" if wait.ahead else ""
    return f"it waits for {holders}: {runs} on at a time of {_what(wait.gate)}{queue}"


def _what(gate: str) -> str:
    kind, _, name = gate.partition(":")
    if f"{kind}:" != PREFIX:
        return f"{kind} {name}"
    agent, _, key = name.partition(":")
    return f"{agent} with the concurrency key {key}" if key else agent
