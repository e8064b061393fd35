"""SQL of schedules, and rows as records."""

from ao.domain.schedule import Missed, Overlap, TickOutcome
from ao.ids import RunId
from ao.store.schedules import Pause, Schedule, Tick
from ao.store.sql.codec import clean, payload_from
from ao.store.sql.engine import Params, Row

NEVER_US = 253_370_764_800_000_000
"""How `next_us` says that there is no tick any more: the year 9999."""

# --- one schedule --------------------------------------------------------------------------------

_OWN = (
    "cron", "timezone", "missed", "overlap", "next_us", "catch_up_us", "start_us", "end_us", "priority",
    "input", "input_blob", "paused", "pause_reason", "pause_actor", "paused_us",
)  # fmt: skip
"""What can be changed."""
_FIXED = ("schedule_id", "agent", "environment", "name", "declared", "actor", "created_us")
_ALL = (*_FIXED, *_OWN)

INSERT = f"""
INSERT INTO schedule ({", ".join(_ALL)}) VALUES ({", ".join(f":{name}" for name in _ALL)})
ON CONFLICT (agent, name) DO NOTHING"""

CHANGE = f"""
UPDATE schedule SET {", ".join(f"{name} = :{name}" for name in _OWN)}, revision = revision + 1
WHERE schedule_id = :schedule_id AND revision = :revision AND withdrawn = 0"""

DELETE = "DELETE FROM schedule WHERE schedule_id = :schedule_id AND revision = :revision"

FORGET_RUNS = "DELETE FROM schedule_run WHERE schedule_id = :schedule_id"

LOCK = """
SELECT revision FROM schedule WHERE schedule_id = :schedule_id AND withdrawn = 0 FOR UPDATE"""

NAMES = "SELECT name FROM schedule WHERE agent = :agent AND withdrawn = 0 ORDER BY name"

# --- reading --------------------------------------------------------------------------------------

TICK = "tick_us, outcome, run_id, reason, at_us"

_SELECT = f"""
SELECT {", ".join(f"s.{name}" for name in _ALL)}, s.last_tick_us, s.last_run_id, s.forgotten_us, s.revision,
  {", ".join(f"t.{name}" for name in TICK.split(", "))}
FROM schedule s LEFT JOIN schedule_tick t ON t.schedule_id = s.schedule_id AND t.tick_us = (
  SELECT MAX(x.tick_us) FROM schedule_tick x WHERE x.schedule_id = s.schedule_id)
WHERE s.withdrawn = 0"""

LIST = f"{_SELECT} ORDER BY s.agent, s.name"
LIST_OF_AGENT = f"{_SELECT} AND s.agent = :agent ORDER BY s.name"
GET = f"{_SELECT} AND s.agent = :agent AND s.name = :name"
DUE = f"{_SELECT} AND s.next_us <= :now AND s.paused = 0 ORDER BY s.next_us LIMIT :limit"
NEXT = f"SELECT MIN(next_us) FROM schedule WHERE paused = 0 AND withdrawn = 0 AND next_us < {NEVER_US}"

# --- ticks ----------------------------------------------------------------------------------------

ADVANCE = """
UPDATE schedule SET next_us = :next_us
WHERE schedule_id = :schedule_id AND next_us = :expected_us AND revision = :revision AND paused = 0
  AND withdrawn = 0"""

_PUT_TICK = f"""
INSERT INTO schedule_tick (schedule_id, {TICK})
VALUES (:schedule_id, :tick_us, :outcome, :run_id, :reason, :now)
ON CONFLICT (schedule_id, tick_us) DO"""

NOTE_TICK = f"{_PUT_TICK} NOTHING"

REPLACE_TICK = f"""{_PUT_TICK} UPDATE
  SET outcome = excluded.outcome, run_id = excluded.run_id, reason = excluded.reason, at_us = excluded.at_us"""

_HAD_NO_ROOM = "WHERE schedule_tick.outcome = 'skipped' AND schedule_tick.run_id = ''"

FIRE_TICK = f"""{_PUT_TICK} UPDATE
  SET outcome = excluded.outcome, run_id = excluded.run_id, at_us = excluded.at_us {_HAD_NO_ROOM}"""

SKIP_TICK = f"{REPLACE_TICK} {_HAD_NO_ROOM}"

MAKE_UP_TICK = f"{REPLACE_TICK} WHERE schedule_tick.outcome IN ('skipped', 'missed')"

LAST_RUN = """
UPDATE schedule SET last_tick_us = :tick_us, last_run_id = :run_id WHERE schedule_id = :schedule_id"""

DROP_ENDED = """
DELETE FROM schedule_run WHERE schedule_id = :schedule_id AND NOT EXISTS (
  SELECT 1 FROM run_head h
  WHERE h.run_id = schedule_run.run_id AND h.state IN ('pending', 'running', 'paused'))"""

OPEN_RUNS = "SELECT run_id FROM schedule_run WHERE schedule_id = :schedule_id ORDER BY run_id"

ADD_OPEN = "INSERT INTO schedule_run (schedule_id, run_id) VALUES (:schedule_id, :run_id)"


def ticks_sql(*, outcome: bool, since: bool, before: bool) -> str:
    where = ["schedule_id = :schedule_id"]
    where += ["outcome = :outcome"] if outcome else []
    where += ["tick_us >= :since_us"] if since else []
    where += ["tick_us < :before_us"] if before else []
    return f"SELECT {TICK} FROM schedule_tick WHERE {' AND '.join(where)} ORDER BY tick_us DESC LIMIT :limit"


# --- rows as records --------------------------------------------------------------------------------


def row_of(schedule: Schedule) -> Params:
    pause, given = schedule.pause, schedule.input
    return {
        "schedule_id": schedule.id,
        "agent": schedule.agent,
        "environment": schedule.environment,
        "name": schedule.name,
        "declared": int(schedule.declared),
        "actor": schedule.actor,
        "created_us": schedule.created_us,
        "cron": schedule.cron,
        "timezone": schedule.timezone,
        "missed": schedule.missed,
        "overlap": schedule.overlap,
        "next_us": next_column(schedule.next_us),
        "catch_up_us": schedule.catch_up_us,
        "start_us": schedule.start_us,
        "end_us": schedule.end_us,
        "priority": schedule.priority,
        "input": None if given is None else given.inline,
        "input_blob": None if given is None else given.blob,
        "paused": int(pause is not None),
        "pause_reason": None if pause is None else clean(pause.reason),
        "pause_actor": None if pause is None else pause.actor,
        "paused_us": None if pause is None else pause.at_us,
        "revision": schedule.revision,
    }


def next_column(next_us: int | None) -> int:
    return NEVER_US if next_us is None else next_us


def schedule_from(row: Row) -> Schedule:
    (schedule_id, agent, environment, name, declared, actor, created_us, cron, timezone, missed, overlap,
     next_us, catch_up_us, start_us, end_us, priority, inline, blob, paused, pause_reason, pause_actor,
     paused_us, last_tick_us, last_run_id, forgotten_us, revision, *tick) = row  # fmt: skip
    return Schedule(
        id=schedule_id,
        agent=agent,
        environment=environment,
        name=name,
        cron=cron,
        timezone=timezone,
        missed=Missed(missed),
        overlap=Overlap(overlap),
        next_us=None if next_us >= NEVER_US else next_us,
        declared=bool(declared),
        catch_up_us=catch_up_us,
        start_us=start_us,
        end_us=end_us,
        priority=priority,
        input=payload_from(inline, blob),
        pause=Pause(pause_reason or "", pause_actor or "", paused_us or 0) if paused else None,
        actor=actor,
        created_us=created_us,
        last_tick_us=last_tick_us,
        last_run_id=last_run_id,
        last=None if tick[0] is None else tick_from(tuple(tick)),
        forgotten_us=forgotten_us,
        revision=revision,
    )


def tick_from(row: Row) -> Tick:
    tick_us, outcome, run_id, reason, at_us = row
    return Tick(tick_us, TickOutcome(outcome), RunId(run_id) if run_id else None, reason, at_us)
