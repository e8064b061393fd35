"""Sessions: their records and their store. What runs write to them comes through `RunStore`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ao.domain.payload import Payload
from ao.domain.session import Change, NewMessage, Workspace
from ao.ids import Digest, RunId
from ao.store.audit import NewAudit

EMPTY_STATE = Payload("{}")


@dataclass(frozen=True, slots=True)
class SessionKey:
    """Ids are the user's, or made by the server; each agent has its own."""

    agent: str
    id: str


@dataclass(frozen=True, slots=True)
class Session:
    """A session as it is now."""

    key: SessionKey
    created_us: int
    used_us: int
    """The last run was created, or somebody changed it."""
    actor: str
    version: int
    """From 1; rises with every change."""
    at_us: int
    """When it came to be so."""
    state: Payload | None
    """None in listings."""
    messages: int
    workspace: Workspace | None
    active: RunId | None
    """The run that it belongs to now: of those that have not ended, the one that has begun, or the next one."""
    open_runs: int


@dataclass(frozen=True, slots=True)
class SessionVersion:
    version: int
    at_us: int
    change: Change
    actor: str
    run_id: RunId | None
    step: str
    """The step that it was committed with; empty for the end of a run, a pause and people."""
    changed: Sequence[str]
    """Of `state`, `messages` and `workspace`."""
    state: Payload
    messages: int
    workspace: Workspace | None


@dataclass(frozen=True, slots=True)
class SessionMessage:
    seq: int
    """From 1, without gaps."""
    version: int
    at_us: int
    run_id: RunId | None
    role: str
    content: Payload


@dataclass(frozen=True, slots=True)
class SessionFilter:
    agent: str | None = None
    agents: Sequence[str] = ()
    """Only of these; empty means all."""
    before: tuple[int, str, str] | None = None
    """Keyset cursor: (used_us, agent, id) of the last one of the page before."""


@dataclass(frozen=True, slots=True)
class NewSession:
    key: SessionKey
    actor: str
    state: Payload = EMPTY_STATE
    messages: Sequence[NewMessage] = ()


@dataclass(frozen=True, slots=True)
class SessionEdit:
    """What somebody changes by hand. `expected` is the version that it was made from; `force`: even while a run
    of it has not ended."""

    key: SessionKey
    actor: str
    expected: int
    force: bool = False
    state: Payload | None = None
    messages: Sequence[NewMessage] = ()
    """Appended."""
    workspace: Workspace | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """What a run that begins, or goes on, finds."""

    key: SessionKey
    base: SessionVersion
    """As it was before this run."""
    workspace: Workspace | None
    """As it was left last."""
    writes: Mapping[str, Payload]
    """By path: what recorded steps of this run have done."""
    changed: bool
    """The session is not as in `base` any more: an earlier attempt has committed something."""


class SessionStore(Protocol):
    async def create(self, new: NewSession, audit: NewAudit | None = None) -> Session:
        """`Conflict` when it exists."""
        ...

    async def get(self, key: SessionKey) -> Session:
        """The session with its state, or `NotFound`."""
        ...

    async def list(self, where: SessionFilter, limit: int) -> Sequence[Session]:
        """Last used first."""
        ...

    async def messages(
        self, key: SessionKey, version: int, after_seq: int, limit: int
    ) -> Sequence[SessionMessage]:
        """Those with a seq above `after_seq` that it had in a version, in order."""
        ...

    async def history(self, key: SessionKey, before: int | None, limit: int) -> Sequence[SessionVersion]:
        """Newest version first, those below `before`. Old ones are removed (`KEPT_VERSIONS`)."""
        ...

    async def edit(self, edit: SessionEdit, audit: NewAudit | None = None) -> Session:
        """`Conflict` when its version is another one now; `SessionBusy` while a run has not ended."""
        ...

    async def restore(
        self, key: SessionKey, version: int, actor: str, *, force: bool, audit: NewAudit | None = None
    ) -> Session:
        """Make it what it was in `version`, as its next version. `NotFound`, `SessionBusy`."""
        ...

    async def copy(
        self, source: SessionKey, version: int | None, target: SessionKey, actor: str,
        audit: NewAudit | None = None, files_of: int | None = None,
    ) -> Session:  # fmt: skip
        """A new session that begins as `source` was in `version` (None: now), with the workspace of version
        `files_of` where it is given. `NotFound`, `Conflict`."""
        ...

    async def delete(
        self, key: SessionKey, actor: str, *, force: bool, audit: NewAudit | None = None
    ) -> Sequence[RunId]:
        """Remove it with all that it has; its runs stay. `SessionBusy` while one has not ended; with `force`
        those are cancelled and returned."""
        ...

    async def open(self, run_id: RunId, fence: int) -> Opened:
        """For the attempt that holds this fence. The version that the run began with is decided by the first
        call. `StaleWrite`; `NotFound` when the session was deleted."""
        ...

    async def drop_unused(self, before_us: int, limit: int) -> int:
        """Remove sessions that were not used since, and have no run that has not ended; returns how many."""
        ...


def digests_of(workspace: Workspace | None) -> Sequence[Digest]:
    return () if workspace is None else (workspace.digest, *workspace.blobs)
