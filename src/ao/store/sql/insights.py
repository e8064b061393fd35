"""`ao.store.insights.InsightStore` in SQL."""

import json
from collections import defaultdict
from collections.abc import Sequence

from ao.domain.deployment import DEFAULT_ENVIRONMENT, DeploymentStatus, Pointer
from ao.domain.run import RunState
from ao.ids import DeploymentId, RunId
from ao.store.insights import (
    HOUR_US,
    SCAN,
    AgentDetail,
    DeploymentRow,
    Failure,
    HourTally,
    LiveAgent,
    Overview,
    Queue,
    RunPage,
    RunQuery,
    RunRow,
    ScheduleLine,
    SecretName,
    Tally,
    Waits,
    hour_of,
)
from ao.store.records import Agent, PointerMove
from ao.store.sql import insight_sql as sql
from ao.store.sql.agents import no_such_agent
from ao.store.sql.codec import to_json
from ao.store.sql.engine import Engine, Params, Row, Tx
from ao.store.sql.schedule_sql import NEVER_US

_FAILURES_SCANNED = 500
_FAILURES_EACH = 5
MESSAGE_CHARACTERS = 300
"""Of an error in a list."""


class SqlInsightStore:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def overview(self, since_us: int) -> Overview:
        return await self._engine.read(lambda tx: _overview(tx, hour_of(since_us)))

    async def agent(self, name: str, since_us: int, limit: int) -> AgentDetail:
        return await self._engine.read(lambda tx: _agent(tx, name, hour_of(since_us), limit))

    async def runs(self, query: RunQuery, limit: int) -> RunPage:
        return await self._engine.read(lambda tx: _runs(tx, query, limit))

    async def deployments(
        self, agents: Sequence[str], older_than: DeploymentId | None, limit: int
    ) -> Sequence[DeploymentRow]:
        return await self._engine.read(lambda tx: _deployments(tx, agents, older_than, limit))

    async def tidy(self, before_us: int) -> None:
        def write(tx: Tx) -> None:
            tx.run(sql.TIDY_TALLY, {"before_us": before_us})
            tx.run(sql.TIDY_LOGIN, {})

        await self._engine.write(write)


def _overview(tx: Tx, since_us: int) -> Overview:
    agents = [_live_agent(row) for row in tx.all(sql.AGENTS, {})]
    numbers: dict[str, list[Row]] = defaultdict(list)
    for kind, *row in tx.all(sql.NUMBERS, _span(tx, since_us)):
        numbers[kind].append(tuple(row))
    failures = tx.all(sql.FAILURES, {"scan": _FAILURES_SCANNED, "each": _FAILURES_EACH})
    return Overview(
        now_us=tx.now_us,
        agents=agents,
        tallies=[
            Tally(name, version, RunState(state), bucket, bool(recent), runs)
            for name, version, state, bucket, recent, runs in numbers["agent"]
        ],
        hours=[HourTally(hour_us, RunState(state), runs) for _, _, state, hour_us, _, runs in numbers["hour"]],
        queue=_queue(numbers),
        failures=[
            Failure(RunId(run_id), agent, version, _message(error), finished_us)
            for run_id, agent, version, error, finished_us in failures
        ],
        questions=_waits(numbers["asked"]),
        dead_letters=_waits(numbers["dead"]),
    )


def _waits(rows: Sequence[Row]) -> list[Waits]:
    return sorted((Waits(row[0], row[5], row[3]) for row in rows), key=lambda waits: waits.agent)


def _span(tx: Tx, since_us: int) -> Params:
    return {"since_us": since_us, "recent_us": hour_of(tx.now_us) - HOUR_US}


def _queue(numbers: dict[str, list[Row]]) -> Queue:
    def only(kind: str) -> int:
        return int(numbers[kind][0][5])

    return Queue(
        ready=only("ready"),
        delayed=only("delayed"),
        waiting=only("waiting"),
        running=only("running"),
        blocked=sorted((row[0], row[5]) for row in numbers["blocked"]),
        next_since_us=int(numbers["next"][0][5]) if numbers["next"] else None,
        workers=int(numbers["slots"][0][3]),
        slots=only("slots"),
    )


def _live_agent(row: Row) -> LiveAgent:
    name, created_us, stable, last_good, latest, status, latest_at_us, error, frm, to, reason, by, at_us = row
    stable_moved = Pointer.STABLE
    move = None
    if at_us is not None:
        move = PointerMove(name, DEFAULT_ENVIRONMENT, stable_moved, frm, to, reason, by, at_us)
    agent = Agent(name, created_us, stable, last_good, latest)
    return LiveAgent(agent, DeploymentStatus(status), latest_at_us, error, move)


def _agent(tx: Tx, name: str, since_us: int, limit: int) -> AgentDetail:
    facts: dict[str, list[Row]] = defaultdict(list)
    for kind, *row in tx.all(sql.AGENT_FACTS, {"agent": name, **_span(tx, since_us)}):
        facts[kind].append(tuple(row))
    if not facts["agent"]:
        raise no_such_agent(tx, name)
    moves = [
        PointerMove(name, DEFAULT_ENVIRONMENT, Pointer.STABLE, frm, to, reason, actor, at_us)
        for reason, actor, _, frm, to, at_us, _, _ in sorted(facts["move"], key=_seq, reverse=True)
    ]
    status, error, config, created_us, stable, last_good, latest, latest_at_us = facts["agent"][0]
    agent = Agent(name, created_us, stable, last_good, latest)
    query = RunQuery(agent=name)
    return AgentDetail(
        now_us=tx.now_us,
        live=LiveAgent(agent, DeploymentStatus(status), latest_at_us, error, moves[0] if moves else None),
        config=config,
        tallies=[
            Tally(name, version, RunState(state), bucket, bool(recent), runs)
            for state, _, _, version, bucket, runs, recent, _ in facts["tally"]
        ],
        hours=[
            HourTally(hour_us, RunState(state), runs) for state, _, _, hour_us, runs, _, _, _ in facts["hour"]
        ],
        schedules=[_schedule(row) for row in facts["schedule"]],
        secrets=[SecretName(secret, owner == "", version) for secret, owner, _, version, *_ in facts["secret"]],
        moves=moves,
        deployments=_deployments(tx, [name], None, limit),
        runs=[_run_row(row) for row in tx.all(sql.runs_sql(query), _run_params(query, limit))],
    )


def _seq(row: Row) -> int:
    return int(row[6])


def _schedule(row: Row) -> ScheduleLine:
    name, cron, timezone, next_us, paused, *_ = row
    return ScheduleLine(name, cron, timezone, None if next_us >= NEVER_US else next_us, bool(paused))


def _deployments(
    tx: Tx, agents: Sequence[str], older_than: DeploymentId | None, limit: int
) -> Sequence[DeploymentRow]:
    text = sql.deployments_sql(agents=agents, older=older_than is not None)
    rows = tx.all(text, {**sql.names("agent", agents), "older_than": older_than, "limit": limit})
    return [_deployment_row(row) for row in rows]


def _deployment_row(row: Row) -> DeploymentRow:
    (deployment_id, agent, version, status, actor, message, error, digest, created_us, finished_us,
     live_version, last_good) = row  # fmt: skip
    return DeploymentRow(
        deployment_id,
        agent,
        version,
        DeploymentStatus(status),
        actor,
        message,
        error,
        digest,
        created_us,
        finished_us,
        live_version,
        bool(last_good),
    )


# --- runs ------------------------------------------------------------------------------------------


def _runs(tx: Tx, query: RunQuery, limit: int) -> RunPage:
    params = _run_params(query, limit + 1)
    rows = [_run_row(row) for row in tx.all(sql.runs_sql(query), params)]
    more, scanned_to = len(rows) > limit, None
    if not more and sql.is_searching(query):
        found = tx.one(sql.scanned_sql(query), params)
        if found is not None and found[0] == SCAN:
            more, scanned_to = True, RunId(found[1])
    rows = rows[:limit]
    if query.newer_than:
        rows.reverse()
    return RunPage(rows, more, scanned_to)


def _run_params(query: RunQuery, limit: int) -> Params:
    prefix = sql.id_prefix(query)
    text = to_json(query.text or "")[1:-1].lower()  # as it stands in the stored error
    quoted = text.replace("!", "!!").replace("%", "!%").replace("_", "!_")
    return {
        "agent": query.agent,
        **sql.names("agent", query.agents),
        "version": query.version,
        "id_from": prefix,
        "id_to": f"{prefix}~",
        "error_like": f"%{quoted}%",
        "older_than": query.older_than,
        "newer_than": query.newer_than,
        "first_id": None if query.since_us is None else first_id_at(query.since_us),
        "last_id": None if query.until_us is None else first_id_at(query.until_us),
        # Without a filter that is left to the rows, the candidates are the page.
        "scan": SCAN if sql.is_searching(query) else limit,
        "limit": limit,
    }


def first_id_at(instant_us: int) -> str:
    """The smallest id that can be made at an instant: ids begin with their milliseconds."""
    digits = f"{max(0, instant_us) // 1000:012x}"
    return f"{digits[:8]}-{digits[8:]}-"


def _run_row(row: Row) -> RunRow:
    run_id, agent, version, state, attempt, error, *rest = row
    return RunRow(RunId(run_id), agent, version, RunState(state), attempt, _message(error), *rest)


def _message(error: str | None) -> str:
    """The first line of an error."""
    if error is None:
        return ""
    text: str = json.loads(error)["message"]
    return text.partition("\n")[0][:MESSAGE_CHARACTERS]
