"""Fills a store with as many runs as a busy platform has after months, in seconds: for tests that count
statements and for benchmarks. Rows are what the store's own writes leave behind."""

import json
import random
import uuid
from collections import Counter
from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import Any

from ao.domain.dead_letter import fingerprint
from ao.domain.outcome import ErrorInfo, OutcomeKind
from ao.ids import new_deployment_id
from ao.store.insights import HOUR_US, bucket_of, hour_of
from ao.store.records import BuiltRelease, Deployment, NewDeployment
from ao.store.sql.engine import Tx
from ao.store.sql.postgres import PostgresEngine
from ao.store.sql.store import SqlStore
from ao.testing.store_contract.harness import digest

AGENTS = ("support", "billing", "triage", "research", "translator-for-the-whole-support-department")
VERSIONS = 8
SPAN_US = 48 * HOUR_US
SECOND_US = 1_000_000
CHUNK = 5_000
ERRORS = (
    "KeyError: 'customer_id'",
    "ValueError: the model answered with 2,314 tokens, more than the 2,048 that fit",
    "TimeoutError: https://api.example.com/v1/orders did not answer within 30 s",
    "killed: out of memory (512 MiB)",
)

_RUN = """
INSERT INTO run (run_id, agent, environment, input, actor, created_us, priority, lineage)
VALUES (:run_id, :agent, 'prod', :input, :actor, :created_us, 0, :run_id)"""
_HEAD = """
INSERT INTO run_head (run_id, state, fence, next_seq, attempt, failures, losses, cancel_requested, active_us,
  started_us, finished_us, deployment_id)
VALUES (:run_id, :state, :attempt, 9, :attempt, :failures, 0, 0, 1, :started_us, :finished_us,
  :deployment_id)"""
_OUTCOME = "INSERT INTO run_outcome (run_id, output, error) VALUES (:run_id, :output, :error)"
_READY = "INSERT INTO run_ready (rank, run_id) VALUES (0, :run_id)"
_TALLY = """
INSERT INTO run_tally (hour_us, agent, version, state, bucket, shard, runs)
VALUES (:hour_us, :agent, :version, :state, :bucket, 0, :runs)
ON CONFLICT (hour_us, agent, version, state, bucket, shard) DO UPDATE
SET runs = run_tally.runs + excluded.runs"""
_DEAD = """
INSERT INTO dead_letter (run_id, agent, version, fingerprint, title, step, reason, at_us)
SELECT h.run_id, r.agent, d.version, :fingerprint, :title, '', 'retries_exhausted', h.finished_us
FROM run_head h
  JOIN run r ON r.run_id = h.run_id
  JOIN run_outcome o ON o.run_id = h.run_id
  JOIN deployment d ON d.deployment_id = h.deployment_id
WHERE h.state = 'failed' AND o.error = :error"""
_ASK = """
INSERT INTO run_question (question_id, run_id, path, kind, state, text, details, fingerprint, asked_us,
  ended_us, actor)
SELECT h.run_id, h.run_id, 'approve', 'approval', {state}, 'Refund 12.50 to the customer?', '{{"cents":1250}}',
  '', h.started_us, {ended}, {actor}
FROM run_head h WHERE h.state = {of}"""
_ASKED = _ASK.format(state="'open'", ended="NULL", actor="NULL", of="'paused'")
_ANSWERED = _ASK.format(state="'answered'", ended="h.finished_us", actor=":actor", of="'completed'") + (
    " AND h.run_id LIKE :some"
)
_COUNTED = ("hour_us", "agent", "version", "state", "bucket")

WAITING = 20
"""So many of the newest runs are pending, and so many before them have a question open."""
COPIES = 16
"""Of each run, inside the database: their ids differ in the first digit of the last group."""
_ENDED = "FROM run_head h JOIN {} t ON t.run_id = h.run_id WHERE h.state <> 'pending' AND t.run_id LIKE :first"
_NEW_ID = "SUBSTR(t.run_id, 1, 24) || :digit || SUBSTR(t.run_id, 26)"
_COPY = (
    f"""
INSERT INTO run (run_id, agent, environment, input, actor, created_us, priority, lineage)
SELECT {_NEW_ID}, agent, environment, input, actor, created_us, priority, lineage
{_ENDED.format("run")}""",
    f"""
INSERT INTO run_outcome (run_id, output, error) SELECT {_NEW_ID}, output, error
{_ENDED.format("run_outcome")}""",
    f"""
INSERT INTO run_head (run_id, state, fence, next_seq, attempt, failures, losses, cancel_requested, active_us,
  started_us, finished_us, deployment_id)
SELECT {_NEW_ID}, t.state, t.fence, t.next_seq, t.attempt, t.failures, t.losses, t.cancel_requested,
  t.active_us, t.started_us, t.finished_us, t.deployment_id {_ENDED.format("run_head")}""",
)


async def fill(store: SqlStore, runs: int, *, seed: int = 7) -> None:
    """`AGENTS` with `VERSIONS` versions each, and about `runs` runs of the last two days;
    the newest version of the first agent fails most of the time, a few runs wait."""
    deployments = {agent: [await _deploy(store, agent, n) for n in range(VERSIONS)] for agent in AGENTS}
    now_us = await store.schedules.now_us()
    rows = _rows(deployments, runs // COPIES, now_us, random.Random(seed))  # noqa: S311
    while chunk := list(islice(rows, CHUNK)):
        await store.engine.write(partial(_insert, rows=chunk))
    for digit in "123456789abcdef":
        await store.engine.write(partial(_copy, digit=digit))
    await store.engine.write(_mark)
    if isinstance(store.engine, PostgresEngine):
        await store.engine.write(lambda tx: tx.run("ANALYZE", {}))  # as autovacuum has done after a minute


async def _deploy(store: SqlStore, agent: str, number: int) -> Deployment:
    made = await store.deployments.create(
        NewDeployment(new_deployment_id(), agent, "key:ci", digest("source"), f"change {number + 1}")
    )
    await store.deployments.append_log(made.id, [(made.created_us, f"line {line}") for line in range(20)])
    parts = {
        part: {"digest": digest(f"{agent}{number}{part}"), "size": 4096}
        for part in ("code", "models", "prompts", "tools", "data")
    }
    config = {"name": agent, "entrypoint": "agent:main", "secrets": ["API_TOKEN"]}
    release = BuiltRelease(
        digest(f"{agent}{number}"), json.dumps(config), "env", None, "asked", json.dumps(parts)
    )
    return await store.deployments.succeed(made.id, release, None)


def _rows(
    deployments: dict[str, list[Deployment]], runs: int, now_us: int, random: random.Random
) -> Iterator[dict[str, Any]]:
    ended = runs - 2 * WAITING  # up to now: what is recent is much the same in every minute of the hour
    for number in range(runs):
        waits, asks = number >= runs - WAITING, ended <= number < runs - WAITING
        ago_us = SPAN_US - SPAN_US * number // ended if number < ended else (runs - number) * SECOND_US
        created_us = now_us - ago_us
        agent = random.choices(AGENTS, (50, 25, 15, 9, 1))[0]
        version = min(VERSIONS, 1 + number * VERSIONS // runs)
        breaks = agent == AGENTS[0] and version == VERSIONS
        share = 0.6 if breaks else 0.0 if version == VERSIONS else 0.01  # of few one would be enough to fail
        failed = random.random() < share and not (waits or asks)
        duration_us = int(random.lognormvariate(14.5, 1))
        retries = 2 if failed else random.choice((0, 0, 0, 1))
        ends_us = min(now_us, created_us + duration_us)
        yield {
            "run_id": _id_at(created_us, random),
            "agent": agent,
            "version": version,
            "actor": "key:app",
            "input": json.dumps({"question": "why " * 20}),
            "created_us": created_us,
            "state": "pending" if waits else "paused" if asks else "failed" if failed else "completed",
            "attempt": 0 if waits else 1 + retries,
            "failures": 0 if waits else retries,
            "started_us": None if waits else created_us + 1000,
            "finished_us": None if waits or asks else ends_us,
            "deployment_id": None if waits else deployments[agent][version - 1].id,
            "output": None if failed else '{"answer":42}',
            "error": _error(random.choice(ERRORS)) if failed else None,
            "hour_us": hour_of(ends_us),
            "bucket": bucket_of(duration_us),
        }


def _error(message: str) -> str:
    return json.dumps({"kind": "error", "message": message, "type": "Error", "traceback": "Traceback …"})


def _id_at(instant_us: int, random: random.Random) -> str:
    """A UUIDv7 of an instant, whose last group begins with 0."""
    low = 0b10 << 62 | random.getrandbits(14) << 48 | random.getrandbits(44)
    return str(uuid.UUID(int=(instant_us // 1000 << 80) | 0x7 << 76 | low))


def _insert(tx: Tx, rows: list[dict[str, Any]]) -> None:
    ended = [row for row in rows if row["state"] in ("completed", "failed")]
    tx.many(_RUN, rows)
    tx.many(_HEAD, rows)
    tx.many(_OUTCOME, ended)
    counts = Counter(tuple(row[name] for name in _COUNTED) for row in ended)
    tallies = [dict(zip(_COUNTED, key, strict=True)) | {"runs": COPIES * n} for key, n in counts.items()]
    tx.many(_TALLY, tallies)
    tx.many(_READY, [row for row in rows if row["state"] == "pending"])


def _copy(tx: Tx, digit: str) -> None:
    for statement in _COPY:
        tx.run(statement, {"digit": digit, "first": f"{'_' * 24}0%"})


def _mark(tx: Tx) -> None:
    """Dead letters of what failed, questions of what is paused, and answered ones of a part of the rest."""
    for message in ERRORS:
        found = fingerprint(ErrorInfo(OutcomeKind.ERROR, message, type="Error", traceback="Traceback …"))
        tx.run(_DEAD, {"error": _error(message), "fingerprint": found.digest, "title": found.title})
    tx.run(_ASKED, {})
    tx.run(_ANSWERED, {"some": "%0", "actor": "key:ops"})
