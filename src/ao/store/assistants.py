"""Assistants: their versions, which one is the latest, and their store."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from ao.ids import DeploymentId, Digest
from ao.store.audit import NewAudit


@dataclass(frozen=True, slots=True)
class NewAssistantVersion:
    config: str
    """`AssistantConfig.text()`."""
    overrides: str
    """`Overrides.text()`; empty for none."""
    environment: str
    deployment_id: DeploymentId | None
    """Pinned; None follows the environment's `stable` pointer."""
    actor: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class AssistantVersion:
    """Immutable: runs that were accepted with it keep it."""

    name: str
    agent: str
    version: int
    config: str
    overrides: str
    environment: str
    deployment_id: DeploymentId | None
    actor: str
    message: str
    created_us: int


@dataclass(frozen=True, slots=True)
class Assistant:
    """A name, and what it means now."""

    name: str
    agent: str
    """Of the same name for an agent's own assistant: that one has no versions and never gets any."""
    created_us: int
    newest: int
    """Highest version; 0 for an agent's own assistant."""
    archived_us: int | None
    """Since when nothing new runs on it."""
    latest: AssistantVersion | None
    """What the name means; None for an agent's own assistant."""

    @property
    def is_agents_own(self) -> bool:
        return self.latest is None


class AssistantAction(StrEnum):
    CREATED = "created"
    UPDATED = "updated"
    SET_LATEST = "set_latest"
    ARCHIVED = "archived"


@dataclass(frozen=True, slots=True)
class AssistantMove:
    """One entry of the append-only history of an assistant."""

    seq: int
    action: AssistantAction
    frm: int | None
    to: int
    actor: str
    message: str
    at_us: int


@dataclass(frozen=True, slots=True)
class AssistantFilter:
    agents: Sequence[str] = ()
    """Only of these; empty means all."""
    archived: bool = False
    """Also archived ones."""
    after: str | None = None
    """Keyset cursor: only names behind this one."""


class AssistantStore(Protocol):
    """Agents and assistants share one space of names: with its first deployment an agent gets its own
    assistant, and a name that is another's is a `Conflict`."""

    async def create(
        self, name: str, agent: str, new: NewAssistantVersion, audit: NewAudit | None = None
    ) -> Assistant:
        """An assistant with its first version. One that is archived and of the same agent lives again, with its
        next version. `Conflict` when the name is taken, `NotFound` for an agent that is not there."""
        ...

    async def update(
        self, name: str, base: int, new: NewAssistantVersion, audit: NewAudit | None = None
    ) -> Assistant:
        """The next version becomes the latest. `Conflict` when `base` is not the latest any more."""
        ...

    async def set_latest(
        self, name: str, version: int, message: str, actor: str, audit: NewAudit | None = None
    ) -> Assistant:
        """The name means this version from now on; nothing happens when it does already."""
        ...

    async def archive(self, name: str, message: str, actor: str, audit: NewAudit | None = None) -> Assistant:
        """Versions and history stay; archiving twice is no error."""
        ...

    async def get(self, name: str) -> Assistant:
        """The assistant, or `NotFound` with the nearest name."""
        ...

    async def list(self, where: AssistantFilter, limit: int) -> Sequence[Assistant]:
        """By name."""
        ...

    async def version(self, name: str, version: int) -> AssistantVersion: ...

    async def versions(self, name: str, before: int | None, limit: int) -> Sequence[AssistantVersion]:
        """Newest first; `before` is a keyset cursor."""
        ...

    async def moves(self, name: str, before: int | None, limit: int) -> Sequence[AssistantMove]:
        """Newest first; `before` is a keyset cursor."""
        ...

    async def keep_release(self, name: str, version: int, deployment_id: DeploymentId, digest: Digest) -> None:
        """What its runs on this deployment execute: the deployment's release, or one derived from it. Doing it
        twice is no error."""
        ...
