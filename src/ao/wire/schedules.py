"""Bodies of the REST API about schedules."""

from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, Field, JsonValue, field_validator

from ao.domain.schedule import MAX_BACKFILL, Missed, Overlap, TickOutcome
from ao.wire.instants import PlanInstant
from ao.wire.schemas import AGENT_NAME, Request, Response, Text

MAX_SECONDS = 10 * 366 * 86_400.0
Cron = Annotated[
    str,
    Field(
        pattern=r"^[^\x00]*$",
        min_length=1,
        max_length=200,
        examples=["0 9 * * 1-5"],
        description="A cron expression, or `@every` and a length of time: `@every 15m`.",
    ),
]
Zone = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9_+/-]+$", max_length=100, description="IANA time zone.", examples=["UTC"])
]
CatchUp = Annotated[
    float | None,
    Field(
        ge=1, le=MAX_SECONDS, description="Ticks that are late by more are never made up for; null: all may."
    ),
]
Start = Annotated[PlanInstant | None, Field(description="No tick before.")]
End = Annotated[PlanInstant | None, Field(description="No tick after.")]
Priority = Annotated[int, Field(ge=-1000, le=1000, description="Of its runs; larger is sooner.")]
InputValue = Annotated[JsonValue, Field(description="Of its runs; checked against the live `input_schema`.")]


class ScheduleFields(Request):
    """What can be changed later."""

    cron: Cron
    timezone: Zone = "UTC"
    input: InputValue = Field(default_factory=dict)
    overlap: Overlap = Overlap.SKIP
    missed: Missed = Missed.LATEST
    catch_up_seconds: CatchUp = None
    start_at: Start = None
    end_at: End = None
    priority: Priority = 0


class ScheduleCreate(ScheduleFields):
    agent: str = Field(pattern=AGENT_NAME, examples=["support"])
    name: str = Field(pattern=AGENT_NAME, examples=["nightly"], description="Unique for the agent.")
    environment: str = Field("prod", pattern=AGENT_NAME)
    paused: bool = False


class SchedulePatch(Request):
    """What is absent stays as it is."""

    cron: Cron | None = None
    timezone: Zone | None = None
    input: InputValue = None
    overlap: Overlap | None = None
    missed: Missed | None = None
    catch_up_seconds: CatchUp = None
    start_at: Start = None
    end_at: End = None
    priority: Priority | None = None

    @field_validator("cron", "timezone", "overlap", "missed", "priority", mode="before")
    @classmethod
    def _no_null(cls, value: object) -> object:
        if value is None:
            raise ValueError("cannot be null: leave it out to keep it as it is")
        return value


class PauseRequest(Request):
    reason: Text = Field("", max_length=500)


class TriggerRequest(Request):
    overlap: Overlap | None = Field(None, description="Instead of the schedule's policy.")


class BackfillRequest(Request):
    since: PlanInstant = Field(description="The first instant of the range.")
    until: PlanInstant | None = Field(None, description="The last instant of the range; null: now.")
    limit: int = Field(100, ge=1, le=MAX_BACKFILL, description="A range with more ticks is refused.")
    force: bool = Field(False, description="Also ticks that have a run get one.")
    dry_run: bool = Field(False, description="Only say what would be done.")


class PauseView(Response):
    reason: str
    actor: str
    at: datetime


class TickView(Response):
    tick: datetime
    outcome: TickOutcome
    run_id: str | None = Field(description="The run that it made.")
    blocked_by: str | None = Field(None, description="The run that was in its way.")
    reason: str
    at: datetime = Field(description="When it came to that.")


class ScheduleView(Response):
    id: str
    agent: str
    name: str
    environment: str
    declared: bool = Field(description="By the live release, with `cron` in ao.toml.")
    cron: str
    timezone: str
    overlap: Overlap
    missed: Missed
    catch_up_seconds: float | None
    start_at: datetime | None
    end_at: datetime | None
    priority: int
    next_at: datetime | None = Field(description="Null: there is no tick any more.")
    paused: bool
    pause: PauseView | None
    last_tick_at: datetime | None = Field(description="The last tick that has a run.")
    last_run_id: str | None
    last: TickView | None = Field(description="The newest line of its history.")
    problem: str = Field("", description="Why it cannot be computed; empty: it can.")
    actor: str = Field(description="Who made it; empty for a declared one.")
    created_at: datetime


class ScheduleDetail(ScheduleView):
    input: JsonValue = Field(description="Null for a declared one: `cron_input` of the live release.")


class TriggeredView(Response):
    run_id: str


class BackfilledTick(Response):
    tick: datetime
    run_id: str | None = Field(description="The run that was made; null in a dry run, and where there is one.")
    already: str | None = Field(description="The run that it has, and that it keeps.")
    error: str | None = Field(None, description="Why it gets none now: the queue is full.")


class BackfillView(Response):
    dry_run: bool
    total: int = Field(description="Ticks in the range.")
    runs: int = Field(description="How many get a run.")
    refused: int = Field(0, description="How many would, but for the queue, which is full.")
    ticks: list[BackfilledTick]


class UpcomingTick(Response):
    at: AwareDatetime
    local: str = Field(description="The same instant in the schedule's time zone.")
