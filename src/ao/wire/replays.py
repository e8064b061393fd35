"""Bodies of the REST API about forks, replays and dead letters."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from ao.wire.schemas import MAX_VERSION, Request, Response, RunView

FROM = "`checkpoint` keeps all recorded steps, `start` none."


class ForkRequest(Request):
    step: str = Field(max_length=1000, description="Path of the first step that is executed again.")
    version: int | None = Field(None, ge=1, le=MAX_VERSION, description="Null: the old run's deployment.")


class ReplayRequest(Request):
    begin: Literal["checkpoint", "start"] = Field("checkpoint", description=FROM)
    version: int | None = Field(None, ge=1, le=MAX_VERSION, description="Null: the old run's deployment.")


class ReplayMany(Request):
    """Either the runs themselves, or what they have in common."""

    runs: list[str] | None = Field(None, max_length=1000, description="Ids; null: all open ones of the agent.")
    fingerprint: str | None = Field(None, max_length=64)
    begin: Literal["checkpoint", "start"] = Field("checkpoint", description=FROM)
    version: int | None = Field(None, ge=1, le=MAX_VERSION, description="Null: each run's own deployment.")
    limit: int = Field(100, ge=1, le=1000, description="At most this many, the oldest first.")


class RemadeView(RunView):
    """A new run of an old one."""

    warnings: list[str] = Field(description="What may keep it from using what the old one recorded.")


class ReplayedView(Response):
    run_id: str
    replay: str | None = Field(description="The new run; null when there is none.")
    error: str | None
    warnings: list[str] = Field(default_factory=list)


class DeadLetterView(Response):
    """A run that failed for good: after its last retry, or because it said that trying again is pointless."""

    run_id: str
    agent: str
    version: int | None
    fingerprint: str
    title: str
    step: str
    reason: str
    at: datetime
    replayed_by: str | None


class DeadLetterGroupView(Response):
    fingerprint: str
    agent: str
    title: str
    step: str = Field(description="Path of the step that failed in the newest; empty outside of steps.")
    count: int
    open: int = Field(description="How many of them were not replayed.")
    first_version: int | None = Field(description="The lowest of the versions that failed so.")
    last_version: int | None
    first_at: datetime
    last_at: datetime
    newest: str = Field(description="A run of the group.")


class PurgedView(Response):
    purged: int
