"""`ao.store.AgentStore` in SQL."""

import difflib
from collections.abc import Sequence

from ao.domain.deployment import DEFAULT_ENVIRONMENT, DeploymentStatus, Pointer
from ao.domain.errors import Conflict, NotFound
from ao.ids import DeploymentId
from ao.store.audit import NewAudit
from ao.store.records import Agent, Deployment, PointerMove
from ao.store.schedules import Schedule
from ao.store.sql import pointers
from ao.store.sql.audit import note
from ao.store.sql.deployments import find_version, get_deployment
from ao.store.sql.engine import Engine, Tx

_AGENTS = f"""
SELECT a.name, a.created_us, s.version, g.version, a.latest FROM agent a
  LEFT JOIN pointer s ON s.agent = a.name AND s.environment = '{DEFAULT_ENVIRONMENT}' AND s.pointer = 'stable'
  LEFT JOIN pointer g ON g.agent = a.name AND g.environment = '{DEFAULT_ENVIRONMENT}'
    AND g.pointer = 'last_good'"""

_LIST = _AGENTS + " ORDER BY a.name"
_GET = _AGENTS + " WHERE a.name = :agent"
_NAMES = "SELECT name FROM agent"

_POINTER = """
SELECT deployment_id FROM pointer
WHERE agent = :agent AND environment = :environment AND pointer = :pointer"""

_HISTORY = """
SELECT agent, environment, pointer, from_version, to_version, reason, actor, at_us FROM pointer_log
WHERE agent = :agent ORDER BY seq DESC LIMIT :limit"""


class SqlAgentStore:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def list(self) -> Sequence[Agent]:
        rows = await self._engine.read(lambda tx: tx.all(_LIST, {}))
        return [Agent(*row) for row in rows]

    async def get(self, name: str) -> Agent:
        def read(tx: Tx) -> Agent:
            row = tx.one(_GET, {"agent": name})
            if row is None:
                raise no_such_agent(tx, name)
            return Agent(*row)

        return await self._engine.read(read)

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
        def write(tx: Tx) -> PointerMove:
            if tx.one(pointers.LOCK_AGENT, {"agent": agent}) is None:
                raise no_such_agent(tx, agent)
            target = find_version(tx, agent, to)
            if target.status is not DeploymentStatus.SUCCEEDED:
                raise Conflict(
                    f"{agent} v{to} is {target.status}; only a version that succeeded can be live.",
                    hint=f"`ao deployments {agent}` shows which did.",
                )
            live = pointers.stable_of(tx, agent, environment)
            if live is not None and live[0] == to:
                raise Conflict(f"{agent} v{to} is already live in {environment}.")
            note(tx, audit)
            return pointers.move_stable(tx, agent, environment, (to, target.id), reason, actor, schedule)

        return await self._engine.write(write)

    async def pointer(self, agent: str, environment: str, pointer: Pointer) -> Deployment | None:
        params = {"agent": agent, "environment": environment, "pointer": pointer.value}

        def read(tx: Tx) -> Deployment | None:
            row = tx.one(_POINTER, params)
            return None if row is None else get_deployment(tx, DeploymentId(row[0]))

        return await self._engine.read(read)

    async def history(self, agent: str, limit: int) -> Sequence[PointerMove]:
        rows = await self._engine.read(lambda tx: tx.all(_HISTORY, {"agent": agent, "limit": limit}))
        return [PointerMove(row[0], row[1], Pointer(row[2]), *row[3:]) for row in rows]


def no_such_agent(tx: Tx, name: str) -> NotFound:
    """With the nearest name as hint."""
    names = [row[0] for row in tx.all(_NAMES, {})]
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"Did you mean {near[0]}?" if near else "`ao agents` lists them; `ao deploy` makes one."
    return NotFound(f"There is no agent {name}.", hint=hint)
