"""Sessions: what persists between the runs of an agent. Pure values."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from ao.domain.payload import Payload
from ao.ids import Digest

MAX_STATE_BYTES = 1 << 20
MAX_CONTENT_BYTES = 1 << 20
"""Of one message."""
MAX_ROLE = 64
KEPT_VERSIONS = 100
"""Older versions are removed as new ones come; one that an open run began with stays."""


class Overlap(StrEnum):
    """What a new run does about those of its session that have not ended; a paused one has not."""

    ENQUEUE = "enqueue"
    """It waits until they have."""
    REJECT = "reject"
    """It is refused."""
    INTERRUPT = "interrupt"
    """They are cancelled; what they have committed stays."""
    ROLLBACK = "rollback"
    """They are cancelled, and the session is made what it was before them."""


class Change(StrEnum):
    """Why a session has another version."""

    CREATED = "created"
    COPIED = "copied"
    RUN = "run"
    EDITED = "edited"
    RESTORED = "restored"
    ROLLED_BACK = "rolled_back"


@dataclass(frozen=True, slots=True)
class SessionUse:
    """The session of a new run; made when it does not exist."""

    id: str
    on_overlap: Overlap = Overlap.ENQUEUE
    known_us: int | None = None
    """Only the session that was there at this instant: recorded steps have left something in it. None: any."""


@dataclass(frozen=True, slots=True)
class NewMessage:
    role: str
    content: Payload


@dataclass(frozen=True, slots=True)
class Workspace:
    """One content of a session's private directory."""

    digest: Digest
    """Of the blob that lists it."""
    blobs: Sequence[Digest]
    """What the list refers to."""
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class SessionWrite:
    """What a run has done to its session until now, told from the version that it began with: writing it twice
    has the effect of writing it once."""

    first: int = 0
    """So many messages of this run come before these, and are committed already."""
    messages: Sequence[NewMessage] = ()
    """All others of it: committed ones that are not among them are taken back."""
    state: Payload | None = None
    """None: as it is."""
    workspace: Workspace | None = None
    step: str = ""
    """Path of the step that it is committed with."""
    writes: Payload | None = None
    """What that step itself did, for later executions that do not execute it."""
