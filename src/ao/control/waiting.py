"""Why a run has not started yet, in a sentence."""

from collections.abc import Iterable, Sequence

from ao.clock import to_datetime
from ao.control.concurrency import PREFIX
from ao.domain.placement import Peer, Placement, amount_words, and_words
from ao.store.gates import Wait
from ao.store.records import Run
from ao.store.run_detail import Places, Waiting

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
    if waiting.places is not None:
        return place_sentence(waiting.places, waiting.now_us)
    if not waiting.slots:
        return none_takes(waiting.held)
    if waiting.running >= waiting.slots:
        whose = "concurrency key" if run.concurrency_key else "agent"
        before = f", of the same {whose} before it: {waiting.ahead}" if waiting.ahead else ""
        return f"all {waiting.slots} slots are busy; in the queue: {waiting.ready}{before}"
    return "it is about to be claimed"


def place_sentence(places: Places, now_us: int) -> str:
    """Why no worker has taken a run that not every worker may take."""
    placement, peers = places.placement, [peer for peer in places.peers if not peer.draining]
    fitting = [peer for peer in peers if not placement.lacks(peer.offer)]
    if not fitting:
        return nowhere(placement, peers) if peers else none_takes("")
    able = [peer for peer in fitting if peer.takes]
    if not able:
        return none_takes(held_of(fitting))
    before = f"; before it: {places.ahead}" if places.ahead else ""
    where = f"needs {placement.wishes()}; " if placement.wishes() else ""
    with_slots = [peer for peer in able if peer.running < peer.slots]
    if not with_slots:
        slots = sum(peer.slots for peer in able)
        return f"{where}all {slots} slots of {_workers(len(able), 'that it may go to')} are busy{before}"
    if not any(peer.can_take(placement) for peer in with_slots):
        return f"{where}free now: {_most_free(placement, with_slots)}{before}"
    if placement.prefers and places.since_us is not None and now_us - places.since_us < placement.patience_us:
        labels = and_words([f"{name}={value}" for name, value in placement.prefers.items()])
        return f"it is left to workers with {labels} for up to {placement.patience_us / 1e6:g} s"
    return "it is about to be claimed"


def held_of(peers: Iterable[Peer]) -> str:
    """Which of them takes nothing for now, and why: `box-2: its disk is full`."""
    return min((f"{peer.name}: {peer.hold}" for peer in peers if peer.hold), default="")


def none_takes(held: str) -> str:
    """Why nobody takes a run although there are workers."""
    return f"no worker takes it now; {held}" if held else "all workers are draining"


def nowhere(placement: Placement, peers: Sequence[Peer]) -> str:
    """What is missing everywhere: `needs label gpu=a100; no worker has it`."""
    common = set.intersection(*(set(placement.lacks(peer.offer)) for peer in peers))
    missing = [words for words in placement.each_wish() if words in common]
    if not missing:
        return f"needs {placement.wishes()}; no worker has all of it"
    sizes = {words: name for name, words in placement.sizes()}
    labels = [words for words in missing if words not in sizes]
    told = (
        [f"needs {and_words(labels)}; no worker has {'it' if len(labels) == 1 else 'them'}"] if labels else []
    )
    for words in missing:
        if words in sizes:
            most = amount_words(sizes[words], max(getattr(peer.offer.amounts, sizes[words]) for peer in peers))
            told.append(f"needs {words}; the largest worker has {most}")
    return "; ".join(told)


def _most_free(placement: Placement, peers: Sequence[Peer]) -> str:
    """Of the worker with the most room for it."""

    def room(peer: Peer) -> float:
        shares = [getattr(peer.free, name) / getattr(placement.needs, name) for name, _ in placement.sizes()]
        return min(shares, default=0.0)

    best = max(peers, key=room)
    free = [amount_words(name, max(0, getattr(best.free, name))) for name, _ in placement.sizes()]
    return f"{and_words(free)} on {best.name}"


def _workers(count: int, which: str) -> str:
    return f"the worker {which}" if count == 1 else f"the {count} workers {which}"


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
