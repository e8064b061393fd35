"""Dead letters as they come out of the store."""

from collections.abc import Sequence
from dataclasses import dataclass

from ao.domain.run import RunState
from ao.ids import RunId


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A run that failed for good. Its request, steps and errors stay until it is purged."""

    run_id: RunId
    agent: str
    version: int | None
    fingerprint: str
    title: str
    step: str
    """Path of the step that failed; empty outside of steps."""
    reason: str
    """Of the transition to `failed`."""
    at_us: int
    replayed_by: RunId | None
    """The run that was last made of it; it is no longer waiting for somebody to look at it."""
    replay_state: RunState | None = None
    """What became of that run."""


@dataclass(frozen=True, slots=True)
class DeadLetterGroup:
    """Dead letters that failed alike."""

    fingerprint: str
    agent: str
    title: str
    step: str
    """Path of the step that failed in the newest; empty outside of steps."""
    count: int
    open: int
    """How many of them were not replayed."""
    first_us: int
    last_us: int
    newest: RunId
    first_version: int | None
    """The lowest of the versions that failed so."""
    last_version: int | None


@dataclass(frozen=True, slots=True)
class RecordedSteps:
    """Steps of one name, over several dead letters."""

    name: str
    done: int
    """In so many runs it is recorded, and a replay from the checkpoint does not do it again."""
    undone: int
    """In so many it had begun and is not recorded."""


@dataclass(frozen=True, slots=True)
class DeadLetterFilter:
    agents: Sequence[str] = ()
    """Empty: of all."""
    fingerprint: str | None = None
    open_only: bool = True
    """Only what was not replayed."""
    run_id: RunId | None = None
    """Only that of this run."""
    before: RunId | None = None
    """Keyset cursor: only runs created before this one."""
    oldest_first: bool = False
    """The order of single ones; otherwise the newest run comes first."""
