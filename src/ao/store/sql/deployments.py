"""`ao.store.DeploymentStore` in SQL."""

import json
from collections.abc import Sequence

from ao.domain.deployment import DEFAULT_ENVIRONMENT, DeploymentStatus
from ao.domain.errors import Conflict, NotFound
from ao.ids import DeploymentId, Digest
from ao.store.audit import NewAudit
from ao.store.records import BuiltRelease, Deployment, NewDeployment
from ao.store.schedules import Schedule
from ao.store.sql import pointers
from ao.store.sql.assistants import take_name
from ao.store.sql.audit import note
from ao.store.sql.codec import clean
from ao.store.sql.engine import Engine, Params, Row, Tx

_NEXT_VERSION = """
INSERT INTO agent (name, created_us, latest) VALUES (:agent, :now, 1)
ON CONFLICT (name) DO UPDATE SET latest = agent.latest + 1 RETURNING latest"""

_COLUMNS = """
d.deployment_id, d.agent, d.version, d.status, d.actor, d.message, d.source_digest, d.created_us,
  d.finished_us, d.error, d.digest, d.config, d.env_key, d.lock_digest, d.requirements_hash, d.parts,
  d.recipe"""

_INSERT = """
INSERT INTO deployment (deployment_id, agent, version, status, actor, message, source_digest, created_us,
  log_seq, build_lease_us)
VALUES (:deployment_id, :agent, :version, 'building', :actor, :message, :source_digest, :now, 0,
  :now + :lease_us)"""

_SUCCEED = """
UPDATE deployment SET status = 'succeeded', finished_us = :now, digest = :digest, config = :config,
  env_key = :env_key, lock_digest = :lock_digest, requirements_hash = :requirements_hash, parts = :parts,
  recipe = :recipe
WHERE deployment_id = :deployment_id AND status = 'building'"""

_FAIL = """
UPDATE deployment SET status = 'failed', finished_us = :now, error = :error
WHERE deployment_id = :deployment_id AND status = 'building'"""

_BY_ID = f"SELECT {_COLUMNS} FROM deployment d WHERE d.deployment_id = :deployment_id"

_BY_VERSION = f"SELECT {_COLUMNS} FROM deployment d WHERE d.agent = :agent AND d.version = :version"

_LIST = f"""
SELECT {_COLUMNS} FROM deployment d WHERE d.agent = :agent AND d.version < :before
ORDER BY d.version DESC LIMIT :limit"""

_BUILDING = f"SELECT {_COLUMNS} FROM deployment d WHERE d.status = 'building' ORDER BY d.deployment_id"

_RENEW = """
UPDATE deployment SET build_lease_us = :now + :lease_us
WHERE deployment_id = :deployment_id AND status = 'building'"""

_ABANDONED = f"""
SELECT {_COLUMNS} FROM deployment d
WHERE d.status = 'building' AND COALESCE(d.build_lease_us, d.created_us + :unleased_us) <= :now
ORDER BY d.deployment_id"""
UNLEASED_US = 3_600_000_000
"""So long a build may take whose server is of a release that knows no leases."""

_TAKE_LOG_SEQS = """
UPDATE deployment SET log_seq = log_seq + :count WHERE deployment_id = :deployment_id RETURNING log_seq"""

_INSERT_LOG = """
INSERT INTO deployment_log (deployment_id, seq, at_us, text) VALUES (:deployment_id, :seq, :at_us, :text)"""

_LOG = """
SELECT seq, at_us, text FROM deployment_log
WHERE deployment_id = :deployment_id AND seq > :after_seq ORDER BY seq LIMIT :limit"""

_IN_USE = """
SELECT 'env', env_key FROM deployment WHERE env_key IS NOT NULL
UNION SELECT 'blob', digest FROM deployment WHERE digest IS NOT NULL
UNION SELECT 'blob', source_digest FROM deployment
UNION SELECT 'blob', digest FROM assistant_release
UNION SELECT 'blob', lock_digest FROM deployment WHERE lock_digest IS NOT NULL
UNION SELECT 'parts', parts FROM deployment WHERE parts IS NOT NULL
UNION SELECT 'recipe', recipe FROM deployment WHERE recipe IS NOT NULL
UNION SELECT 'blob', input_blob FROM run WHERE input_blob IS NOT NULL
UNION SELECT 'blob', output_blob FROM run_outcome WHERE output_blob IS NOT NULL
UNION SELECT 'blob', value_blob FROM run_step WHERE value_blob IS NOT NULL
UNION SELECT 'blob', input_blob FROM schedule WHERE input_blob IS NOT NULL
UNION SELECT 'blob', writes_blob FROM session_step WHERE writes_blob IS NOT NULL
UNION SELECT 'blob', content_blob FROM session_message WHERE content_blob IS NOT NULL
UNION SELECT 'blob', state_blob FROM session_version WHERE state_blob IS NOT NULL
UNION SELECT 'blob', workspace FROM session_version WHERE workspace IS NOT NULL
UNION SELECT 'blobs', workspace_blobs FROM session_version WHERE workspace_blobs IS NOT NULL"""
"""One statement, hence one snapshot."""

_AT_WORK = """
WITH needed AS (
  SELECT deployment_id FROM pointer
  UNION SELECT deployment_id FROM run_head
    WHERE state NOT IN ('completed', 'failed', 'cancelled') AND deployment_id IS NOT NULL)
SELECT 'env', d.env_key FROM needed n JOIN deployment d ON d.deployment_id = n.deployment_id
  WHERE d.env_key IS NOT NULL
UNION SELECT 'blob', d.digest FROM needed n JOIN deployment d ON d.deployment_id = n.deployment_id
  WHERE d.digest IS NOT NULL
UNION SELECT 'blob', a.digest FROM needed n JOIN assistant_release a ON a.deployment_id = n.deployment_id"""

_NO_CURSOR = (1 << 62) - 1
REASON_DEPLOYED = "deployed"


class SqlDeploymentStore:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def create(self, deployment: NewDeployment, audit: NewAudit | None = None) -> Deployment:
        params: Params = {
            "deployment_id": deployment.id,
            "agent": deployment.agent,
            "actor": deployment.actor,
            "message": clean(deployment.message),
            "source_digest": deployment.source_digest,
            "lease_us": deployment.lease_us,
        }

        def write(tx: Tx) -> Deployment:
            row = tx.one(_NEXT_VERSION, params)
            assert row is not None
            if row[0] == 1:
                take_name(tx, deployment.agent)
            tx.run(_INSERT, params | {"version": row[0]})
            note(tx, audit)
            return get_deployment(tx, deployment.id)

        return await self._engine.write(write)

    async def append_log(self, deployment_id: DeploymentId, lines: Sequence[tuple[int, str]]) -> int:
        params: Params = {"deployment_id": deployment_id, "count": len(lines)}

        def write(tx: Tx) -> int:
            row = tx.one(_TAKE_LOG_SEQS, params)
            if row is None:
                raise _no_such(deployment_id)
            first = row[0] - len(lines) + 1
            rows = [
                {"deployment_id": deployment_id, "seq": seq, "at_us": at_us, "text": clean(text)}
                for seq, (at_us, text) in enumerate(lines, first)
            ]
            tx.many(_INSERT_LOG, rows)
            return int(row[0])

        return await self._engine.write(write)

    async def log(
        self, deployment_id: DeploymentId, after_seq: int, limit: int
    ) -> Sequence[tuple[int, int, str]]:
        params = {"deployment_id": deployment_id, "after_seq": after_seq, "limit": limit}
        rows = await self._engine.read(lambda tx: tx.all(_LOG, params))
        return [(seq, at_us, text) for seq, at_us, text in rows]

    async def succeed(
        self, deployment_id: DeploymentId, release: BuiltRelease, schedule: Schedule | None
    ) -> Deployment:
        return await self._engine.write(lambda tx: _succeed(tx, deployment_id, release, schedule))

    async def fail(self, deployment_id: DeploymentId, error: str) -> Deployment:
        def write(tx: Tx) -> Deployment:
            changed = tx.count(_FAIL, {"deployment_id": deployment_id, "error": clean(error)})
            deployment = get_deployment(tx, deployment_id)
            if changed == 0:
                raise _not_building(deployment)
            return deployment

        return await self._engine.write(write)

    async def get(self, agent: str, version: int) -> Deployment:
        params = {"agent": agent, "version": version}
        row = await self._engine.read(lambda tx: tx.one(_BY_VERSION, params))
        if row is None:
            raise no_such_version(agent, version)
        return deployment_from(row)

    async def get_by_id(self, deployment_id: DeploymentId) -> Deployment:
        return await self._engine.read(lambda tx: get_deployment(tx, deployment_id))

    async def list(self, agent: str, before: int | None, limit: int) -> Sequence[Deployment]:
        params = {"agent": agent, "before": _NO_CURSOR if before is None else before, "limit": limit}
        rows = await self._engine.read(lambda tx: tx.all(_LIST, params))
        return [deployment_from(row) for row in rows]

    async def building(self) -> Sequence[Deployment]:
        rows = await self._engine.read(lambda tx: tx.all(_BUILDING, {}))
        return [deployment_from(row) for row in rows]

    async def renew(self, deployment_ids: Sequence[DeploymentId], lease_us: int) -> None:
        def write(tx: Tx) -> None:
            for id in deployment_ids:
                tx.run(_RENEW, {"deployment_id": id, "lease_us": lease_us})

        if deployment_ids:
            await self._engine.write(write)

    async def abandoned(self) -> Sequence[Deployment]:
        rows = await self._engine.read(lambda tx: tx.all(_ABANDONED, {"unleased_us": UNLEASED_US}))
        return [deployment_from(row) for row in rows]

    async def in_use(self) -> tuple[Sequence[str], Sequence[Digest]]:
        rows = await self._engine.read(lambda tx: tx.all(_IN_USE, {}))
        digests = {value for kind, value in rows if kind == "blob"}
        for kind, value in rows:
            if kind == "parts":
                digests.update(part["digest"] for part in json.loads(value).values())
            elif kind == "blobs":
                digests.update(json.loads(value))
            elif kind == "recipe":
                recipe = json.loads(value)
                digests.update(filter(None, [recipe["lock"], *(recipe["wheels"] or {}).values()]))
        return sorted(value for kind, value in rows if kind == "env"), sorted(digests)

    async def at_work(self) -> tuple[Sequence[str], Sequence[Digest]]:
        rows = await self._engine.read(lambda tx: tx.all(_AT_WORK, {}))
        named = {"env": set[str](), "blob": set[str]()}
        for kind, value in rows:
            named[kind].add(value)
        return sorted(named["env"]), [Digest(digest) for digest in sorted(named["blob"])]


def _succeed(
    tx: Tx, deployment_id: DeploymentId, release: BuiltRelease, schedule: Schedule | None
) -> Deployment:
    params: Params = {
        "deployment_id": deployment_id,
        "digest": release.digest,
        "config": release.config,
        "env_key": release.env_key,
        "lock_digest": release.lock_digest,
        "requirements_hash": release.requirements_hash,
        "parts": release.parts,
        "recipe": release.recipe,
    }
    agent = get_deployment(tx, deployment_id).agent
    tx.one(pointers.LOCK_AGENT, {"agent": agent})
    changed = tx.count(_SUCCEED, params)
    deployment = get_deployment(tx, deployment_id)
    if changed == 0:
        raise _not_building(deployment)
    live = pointers.stable_of(tx, agent, DEFAULT_ENVIRONMENT)
    if live is None or live[0] < deployment.version:
        to = (deployment.version, deployment_id)
        actor = deployment.actor
        pointers.move_stable(tx, agent, DEFAULT_ENVIRONMENT, to, REASON_DEPLOYED, actor, schedule)
    return deployment


def get_deployment(tx: Tx, deployment_id: DeploymentId) -> Deployment:
    row = tx.one(_BY_ID, {"deployment_id": deployment_id})
    if row is None:
        raise _no_such(deployment_id)
    return deployment_from(row)


def find_version(tx: Tx, agent: str, version: int) -> Deployment:
    row = tx.one(_BY_VERSION, {"agent": agent, "version": version})
    if row is None:
        raise no_such_version(agent, version)
    return deployment_from(row)


def deployment_from(row: Row) -> Deployment:
    release = None if row[10] is None else BuiltRelease(*row[10:17])
    return Deployment(
        id=row[0],
        agent=row[1],
        version=row[2],
        status=DeploymentStatus(row[3]),
        actor=row[4],
        message=row[5],
        source_digest=row[6],
        created_us=row[7],
        finished_us=row[8],
        error=row[9],
        release=release,
    )


def no_such_version(agent: str, version: int) -> NotFound:
    return NotFound(f"Agent {agent} has no version {version}.", hint=f"`ao deployments {agent}` lists them.")


def _no_such(deployment_id: DeploymentId) -> NotFound:
    return NotFound(f"There is no deployment {deployment_id}.")


def _not_building(deployment: Deployment) -> Conflict:
    return Conflict(f"{deployment.agent} v{deployment.version} is {deployment.status}, not building.")
