"""Which deployment a new run means; what never changes is remembered."""

import json
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

import jsonschema_rs

from ao.control.concurrency import concurrency_of
from ao.domain.agent_config import Concurrency
from ao.domain.deployment import DeploymentStatus, Pointer
from ao.domain.errors import Conflict
from ao.domain.placement import placement_of
from ao.ids import DeploymentId
from ao.store import Store
from ao.store.records import Deployment

POINTER_SECONDS = 1.0
"""How long a pointer is remembered. It chooses the `input_schema` only: a run is resolved when claimed."""
REMEMBERED = 256


class Catalog:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._live: OrderedDict[tuple[str, str], tuple[float, Deployment]] = OrderedDict()
        self._pinned: OrderedDict[DeploymentId, Deployment] = OrderedDict()
        self._moves = self._moving = 0
        self._queue_seconds: OrderedDict[DeploymentId, float | None] = OrderedDict()
        self._validators: OrderedDict[DeploymentId, jsonschema_rs.Validator | None] = OrderedDict()
        self._concurrency: OrderedDict[DeploymentId, Concurrency] = OrderedDict()
        self._placements: OrderedDict[tuple[DeploymentId, str], str | None] = OrderedDict()

    async def resolve(self, agent: str, environment: str, version: int | None) -> Deployment:
        """The pinned version, or what `stable` points at. NotFound or Conflict when it cannot run."""
        if version is not None:
            await self._store.agents.get(agent)
            return _runnable(await self._store.deployments.get(agent, version))
        return await self.live(agent, environment)

    async def pinned(self, deployment_id: DeploymentId) -> Deployment:
        """One that has succeeded: it never changes."""
        if deployment_id not in self._pinned:
            self._pinned[deployment_id] = await self._store.deployments.get_by_id(deployment_id)
            if len(self._pinned) > REMEMBERED:
                self._pinned.popitem(last=False)
        return self._pinned[deployment_id]

    async def live(self, agent: str, environment: str) -> Deployment:
        """What `stable` points at. NotFound or Conflict when there is nothing."""
        remembered = self._live.get((agent, environment))
        if remembered is not None and remembered[0] > time.monotonic():
            return remembered[1]
        moves = self._moves
        live = await self._store.agents.pointer(agent, environment, Pointer.STABLE)
        if live is None:
            await self._store.agents.get(agent)
            raise Conflict(
                f"{agent} has no live version in {environment}",
                hint=f"deploy it with `ao deploy`; `ao deployments {agent}` shows failed builds",
            )
        if moves != self._moves or self._moving:
            return live  # a pointer moved while it was read, or does
        self._live[(agent, environment)] = (time.monotonic() + POINTER_SECONDS, live)
        if len(self._live) > REMEMBERED:
            self._live.popitem(last=False)
        return live

    @contextmanager
    def moving(self) -> Iterator[None]:
        """A pointer is moved by this process: who comes when others can see it sees it, too."""
        self._moving += 1
        self._live.clear()
        try:
            yield
        finally:
            self._moving -= 1
            self._moves += 1

    def queue_seconds(self, deployment: Deployment) -> float | None:
        """`queue_timeout` of a deployment."""
        if deployment.id not in self._queue_seconds:
            config = json.loads(deployment.release.config) if deployment.release else {}
            self._queue_seconds[deployment.id] = config.get("queue_timeout")
            if len(self._queue_seconds) > REMEMBERED:
                self._queue_seconds.popitem(last=False)
        return self._queue_seconds[deployment.id]

    def concurrency(self, deployment: Deployment) -> Concurrency:
        """The limit of a deployment, and where the key is."""
        if deployment.id not in self._concurrency:
            config = json.loads(deployment.release.config) if deployment.release else {}
            self._concurrency[deployment.id] = concurrency_of(config)
            if len(self._concurrency) > REMEMBERED:
                self._concurrency.popitem(last=False)
        return self._concurrency[deployment.id]

    def placement(self, deployment: Deployment, overrides: str = "") -> str | None:
        """Where runs of a deployment may go, with an assistant's overrides; None: to any worker."""
        key = (deployment.id, overrides)
        if key not in self._placements:
            config = json.loads(deployment.release.config) if deployment.release else {}
            self._placements[key] = placement_of(config, json.loads(overrides) if overrides else None)
            if len(self._placements) > REMEMBERED:
                self._placements.popitem(last=False)
        return self._placements[key]

    def input_validator(self, deployment: Deployment) -> jsonschema_rs.Validator | None:
        """The compiled `input_schema` of a deployment; None when it has none."""
        if deployment.id not in self._validators:
            schema = json.loads(deployment.release.config).get("input_schema") if deployment.release else None
            self._validators[deployment.id] = (
                None if schema is None else jsonschema_rs.validator_for(schema, offline=True)
            )
            if len(self._validators) > REMEMBERED:
                self._validators.popitem(last=False)
        return self._validators[deployment.id]


def _runnable(deployment: Deployment) -> Deployment:
    if deployment.status is DeploymentStatus.SUCCEEDED:
        return deployment
    name = f"{deployment.agent} v{deployment.version}"
    if deployment.status is DeploymentStatus.BUILDING:
        raise Conflict(f"{name} is still building", hint="wait for it, or run another version")
    raise Conflict(f"{name} failed to build", hint=f"see `ao deployments {deployment.agent}`")
