"""Agents, their deployments and what is live. See `ao.store` for what every method promises."""

from collections.abc import Sequence
from typing import Protocol

from ao.domain.deployment import Pointer
from ao.ids import DeploymentId, Digest
from ao.store.audit import NewAudit
from ao.store.records import Agent, BuiltRelease, Deployment, NewDeployment, PointerMove
from ao.store.schedules import Schedule


class DeploymentStore(Protocol):
    async def create(self, deployment: NewDeployment, audit: NewAudit | None = None) -> Deployment:
        """Allocate the agent's next version, status `building`. A new agent is made, with its own assistant;
        `Conflict` when its name is another assistant's."""
        ...

    async def append_log(self, deployment_id: DeploymentId, lines: Sequence[tuple[int, str]]) -> int:
        """Append (at_us, text) lines to the build log; returns the last seq (from 1, gap-free)."""
        ...

    async def log(
        self, deployment_id: DeploymentId, after_seq: int, limit: int
    ) -> Sequence[tuple[int, int, str]]:
        """(seq, at_us, text) of build log lines above `after_seq`."""
        ...

    async def succeed(
        self, deployment_id: DeploymentId, release: BuiltRelease, schedule: Schedule | None
    ) -> Deployment:
        """building → succeeded; `stable` of the default environment moves to it (unless a newer version
        is already there) and `last_good` to what was stable, unless all its runs failed, in the same
        write. The schedule that the release declares takes the place of the one before; None withdraws it."""
        ...

    async def fail(self, deployment_id: DeploymentId, error: str) -> Deployment:
        """building → failed. What is live stays live."""
        ...

    async def get(self, agent: str, version: int) -> Deployment: ...

    async def get_by_id(self, deployment_id: DeploymentId) -> Deployment: ...

    async def list(self, agent: str, before: int | None, limit: int) -> Sequence[Deployment]:
        """Newest version first; `before` is a keyset cursor."""
        ...

    async def building(self) -> Sequence[Deployment]:
        """Deployments still `building`."""
        ...

    async def renew(self, deployment_ids: Sequence[DeploymentId], lease_us: int) -> None:
        """Somebody is still building these."""
        ...

    async def abandoned(self) -> Sequence[Deployment]:
        """Those `building` whose lease has ended."""
        ...

    async def in_use(self) -> tuple[Sequence[str], Sequence[Digest]]:
        """(environment keys, release and source and payload digests) that anything refers to: what
        `ao gc` must keep."""
        ...

    async def at_work(self) -> tuple[Sequence[str], Sequence[Digest]]:
        """(environment keys, release digests) of what a pointer names, and of what runs that have not ended
        began with, those of assistants included: what a machine that executes runs needs at hand."""
        ...


class AgentStore(Protocol):
    async def list(self) -> Sequence[Agent]: ...

    async def get(self, name: str) -> Agent:
        """The agent, or `NotFound` with the nearest name as hint."""
        ...

    async def move_pointer(
        self,
        agent: str,
        environment: str,
        to: int,
        reason: str,
        actor: str,
        schedule: Schedule | None,
        audit: NewAudit | None = None,
    ) -> PointerMove:
        """Point `stable` at a succeeded version (going back to it makes it `last_good` too); history
        appended; the declared schedule becomes that version's. `Conflict` when the version did not succeed
        or is live already."""
        ...

    async def pointer(self, agent: str, environment: str, pointer: Pointer) -> Deployment | None: ...

    async def history(self, agent: str, limit: int) -> Sequence[PointerMove]:
        """Newest first."""
        ...
