"""`ao.store.AssistantStore` in SQL."""

import difflib
from collections.abc import Sequence

from ao.domain.errors import Conflict, NotFound
from ao.ids import DeploymentId, Digest
from ao.store.assistants import (
    Assistant,
    AssistantAction,
    AssistantFilter,
    AssistantMove,
    AssistantVersion,
    NewAssistantVersion,
)
from ao.store.audit import NewAudit
from ao.store.sql.audit import note
from ao.store.sql.codec import clean
from ao.store.sql.engine import Engine, Params, Row, Tx

_TAKE_NAME = """
INSERT INTO assistant (name, agent, created_us, newest) VALUES (:name, :agent, :now, 0)
ON CONFLICT (name) DO NOTHING"""

_AGENT = "SELECT name FROM agent WHERE name = :agent"

_VERSION_COLUMNS = """v.name, a.agent, v.version, v.config, v.overrides, v.environment, v.deployment_id,
  v.actor, v.message, v.created_us"""

_SELECT = f"""
SELECT a.name, a.agent, a.created_us, a.newest, a.archived_us, {_VERSION_COLUMNS} FROM assistant a
  LEFT JOIN assistant_version v ON v.name = a.name AND v.version = a.latest"""

_GET = f"{_SELECT} WHERE a.name = :name"

_LOCK = "SELECT name FROM assistant WHERE name = :name FOR UPDATE"

_NAMES = "SELECT name FROM assistant WHERE archived_us IS NULL"

_VERSIONS = f"""
SELECT {_VERSION_COLUMNS} FROM assistant_version v JOIN assistant a ON a.name = v.name
WHERE v.name = :name"""

_VERSION = f"{_VERSIONS} AND v.version = :version"

_VERSIONS_PAGE = f"{_VERSIONS} AND v.version < :before ORDER BY v.version DESC LIMIT :limit"

_INSERT_VERSION = """
INSERT INTO assistant_version (name, version, config, overrides, environment, deployment_id, actor, message,
  created_us)
VALUES (:name, :version, :config, :overrides, :environment, :deployment_id, :actor, :message, :now)"""

_POINT = """
UPDATE assistant SET newest = :newest, latest = :version, archived_us = NULL WHERE name = :name"""

_ARCHIVE = "UPDATE assistant SET archived_us = :now WHERE name = :name"

_MOVE = """
INSERT INTO assistant_move (name, seq, action, from_version, to_version, actor, message, at_us)
VALUES (:name, (SELECT COALESCE(MAX(m.seq), 0) + 1 FROM assistant_move m WHERE m.name = :name), :action,
  :from_version, :version, :actor, :message, :now)"""

_MOVES = """
SELECT seq, action, from_version, to_version, actor, message, at_us FROM assistant_move
WHERE name = :name AND seq < :before ORDER BY seq DESC LIMIT :limit"""

_KEEP_RELEASE = """
INSERT INTO assistant_release (name, version, deployment_id, digest)
VALUES (:name, :version, :deployment_id, :digest)
ON CONFLICT (name, version, deployment_id) DO NOTHING"""

_NO_CURSOR = (1 << 62) - 1


class SqlAssistantStore:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def create(
        self, name: str, agent: str, new: NewAssistantVersion, audit: NewAudit | None = None
    ) -> Assistant:
        def write(tx: Tx) -> Assistant:
            if tx.one(_AGENT, {"agent": agent}) is None:
                raise NotFound(f"There is no agent {agent}.", hint="`ao agents` lists them.")
            tx.run(_TAKE_NAME, {"name": name, "agent": agent})
            there = _lock(tx, name)
            if there.agent != agent or (there.newest and there.archived_us is None) or name == agent:
                raise _taken(there)
            note(tx, audit)
            return _add(tx, there, new, AssistantAction.CREATED)

        return await self._engine.write(write)

    async def update(
        self, name: str, base: int, new: NewAssistantVersion, audit: NewAudit | None = None
    ) -> Assistant:
        def write(tx: Tx) -> Assistant:
            there = _changeable(tx, name)
            if _latest(there) != base:
                raise Conflict(
                    f"The latest version of assistant {name} is v{_latest(there)}, not v{base}.",
                    hint="Somebody changed it: look at it again, then repeat the change.",
                )
            note(tx, audit)
            return _add(tx, there, new, AssistantAction.UPDATED)

        return await self._engine.write(write)

    async def set_latest(
        self, name: str, version: int, message: str, actor: str, audit: NewAudit | None = None
    ) -> Assistant:
        def write(tx: Tx) -> Assistant:
            there = _changeable(tx, name)
            _version(tx, name, version)
            if _latest(there) == version:
                return there
            note(tx, audit)
            _move(tx, there, AssistantAction.SET_LATEST, version, actor, message)
            tx.run(_POINT, {"name": name, "newest": there.newest, "version": version})
            return _get(tx, name)

        return await self._engine.write(write)

    async def archive(self, name: str, message: str, actor: str, audit: NewAudit | None = None) -> Assistant:
        def write(tx: Tx) -> Assistant:
            there = _lock(tx, name)
            if there.archived_us is not None:
                return there
            latest = _latest(_changeable(tx, name))
            note(tx, audit)
            _move(tx, there, AssistantAction.ARCHIVED, latest, actor, message)
            tx.run(_ARCHIVE, {"name": name})
            return _get(tx, name)

        return await self._engine.write(write)

    async def get(self, name: str) -> Assistant:
        return await self._engine.read(lambda tx: _get(tx, name), small=True)

    async def list(self, where: AssistantFilter, limit: int) -> Sequence[Assistant]:
        names = {f"agent{number}": agent for number, agent in enumerate(where.agents)}
        clauses = []
        if names:
            clauses.append(f"a.agent IN ({', '.join(f':{key}' for key in names)})")
        if not where.archived:
            clauses.append("a.archived_us IS NULL")
        if where.after is not None:
            clauses.append("a.name > :after")
        clause = f" WHERE {' AND '.join(clauses)}" if clauses else ""
        params: Params = {**names, "after": where.after, "limit": limit}
        sql = f"{_SELECT}{clause} ORDER BY a.name LIMIT :limit"
        return [_assistant_from(row) for row in await self._engine.read(lambda tx: tx.all(sql, params))]

    async def version(self, name: str, version: int) -> AssistantVersion:
        return await self._engine.read(lambda tx: _version(tx, name, version), small=True)

    async def versions(self, name: str, before: int | None, limit: int) -> Sequence[AssistantVersion]:
        params: Params = {"name": name, "before": _NO_CURSOR if before is None else before, "limit": limit}
        rows = await self._engine.read(lambda tx: tx.all(_VERSIONS_PAGE, params))
        return [AssistantVersion(*row) for row in rows]

    async def moves(self, name: str, before: int | None, limit: int) -> Sequence[AssistantMove]:
        params: Params = {"name": name, "before": _NO_CURSOR if before is None else before, "limit": limit}
        rows = await self._engine.read(lambda tx: tx.all(_MOVES, params))
        return [AssistantMove(row[0], AssistantAction(row[1]), *row[2:]) for row in rows]

    async def keep_release(self, name: str, version: int, deployment_id: DeploymentId, digest: Digest) -> None:
        params: Params = {"name": name, "version": version, "deployment_id": deployment_id, "digest": digest}
        await self._engine.write(lambda tx: tx.run(_KEEP_RELEASE, params))


def take_name(tx: Tx, agent: str) -> None:
    """The own assistant of a new agent. `Conflict` when its name is an assistant's."""
    if not tx.count(_TAKE_NAME, {"name": agent, "agent": agent}):
        there = _get(tx, agent)
        raise Conflict(
            f"{agent} is the name of an assistant of {there.agent}; an agent cannot have it, too.",
            hint="Give the agent another `name` in its ao.toml.",
        )


def _add(tx: Tx, there: Assistant, new: NewAssistantVersion, action: AssistantAction) -> Assistant:
    version = there.newest + 1
    params: Params = {
        "name": there.name,
        "version": version,
        "config": new.config,
        "overrides": new.overrides,
        "environment": new.environment,
        "deployment_id": new.deployment_id,
        "actor": new.actor,
        "message": clean(new.message),
    }
    tx.run(_INSERT_VERSION, params)
    _move(tx, there, action, version, new.actor, new.message)
    tx.run(_POINT, {"name": there.name, "newest": version, "version": version})
    return _get(tx, there.name)


def _move(tx: Tx, there: Assistant, action: AssistantAction, version: int, actor: str, message: str) -> None:
    params: Params = {
        "name": there.name,
        "action": action.value,
        "from_version": there.latest.version if there.latest else None,
        "version": version,
        "actor": actor,
        "message": clean(message),
    }
    tx.run(_MOVE, params)


def _lock(tx: Tx, name: str) -> Assistant:
    tx.one(_LOCK, {"name": name})
    return _get(tx, name)


def _changeable(tx: Tx, name: str) -> Assistant:
    """Locked. `Conflict` for one that never changes, or does not any more."""
    there = _lock(tx, name)
    if there.latest is None:
        raise Conflict(
            f"{name} is the own assistant of the agent {name}: it is the agent as it is released.",
            hint=f"Change its ao.toml, or make another: `ao assistants create NAME --agent {name}`.",
        )
    if there.archived_us is not None:
        raise Conflict(
            f"Assistant {name} is archived.", hint=f"`ao assistants create {name}` makes its next version."
        )
    return there


def _taken(there: Assistant) -> Conflict:
    if there.is_agents_own:
        return Conflict(
            f"{there.name} is an agent, and every agent has an assistant of its own name.",
            hint="Choose another name.",
        )
    if there.archived_us is not None:
        return Conflict(f"{there.name} is an archived assistant of {there.agent}.", hint="Choose another name.")
    return Conflict(
        f"There is an assistant {there.name} of {there.agent} already.",
        hint=f"`ao assistants update {there.name}` makes its next version.",
    )


def _latest(there: Assistant) -> int:
    assert there.latest is not None
    return there.latest.version


def _get(tx: Tx, name: str) -> Assistant:
    row = tx.one(_GET, {"name": name})
    if row is None:
        near = difflib.get_close_matches(name, [each[0] for each in tx.all(_NAMES, {})], n=1)
        hint = f"Did you mean {near[0]}?" if near else "`ao assistants list` shows them."
        raise NotFound(f"There is no assistant {name}.", hint=hint)
    return _assistant_from(row)


def _version(tx: Tx, name: str, version: int) -> AssistantVersion:
    row = tx.one(_VERSION, {"name": name, "version": version})
    if row is None:
        there = _get(tx, name)
        hint = (
            f"Its newest is v{there.newest}; `ao assistants history {name}` lists them."
            if there.newest
            else "It is an agent's own: it has no versions."
        )
        raise NotFound(f"Assistant {name} has no version {version}.", hint=hint)
    return AssistantVersion(*row)


def _assistant_from(row: Row) -> Assistant:
    latest = None if row[5] is None else AssistantVersion(*row[5:15])
    return Assistant(row[0], row[1], row[2], row[3], row[4], latest)
