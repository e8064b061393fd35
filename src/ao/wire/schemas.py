"""Bodies of the REST API under `/v1`. Times are ISO 8601 in UTC; durations are seconds; sizes are bytes.

Requests refuse unknown fields; clients ignore unknown fields of responses.
"""

from datetime import datetime
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from ao.domain.deployment import DeploymentStatus
from ao.domain.event import EventKind
from ao.domain.outcome import OutcomeKind
from ao.domain.run import RunState
from ao.domain.session import Overlap
from ao.wire.run_target import RunTarget

T = TypeVar("T")

AGENT_NAME = r"^[a-z][a-z0-9-]{0,62}$"
MAX_VERSION = 2**31 - 1
ENV_NAME = r"^[A-Za-z_][A-Za-z0-9_]{0,127}$"
SESSION_ID = r"^[A-Za-z0-9][A-Za-z0-9._:@-]{0,127}$"
NO_NUL = r"^[^\x00]*$"

Text = Annotated[str, Field(pattern=NO_NUL)]
"""Any text that every database can keep."""


class Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Response(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Page(Response, Generic[T]):
    """One page of a listing, newest first."""

    items: list[T]
    next: str | None = Field(None, description="Pass as `cursor` for the next page; null at the end.")


class ErrorView(Response):
    kind: OutcomeKind
    message: str
    type: str = ""
    traceback: str = ""
    hint: str = ""
    exit_code: int | None = None
    signal: str | None = None
    step: str = Field("", description="Path of the step that failed; empty outside of steps.")


# --- runs ------------------------------------------------------------------------------------------


class WebhookTarget(Request):
    url: str = Field(min_length=1, max_length=2000, examples=["https://example.com/hooks/ao"])
    secret: str = Field(
        pattern=ENV_NAME,
        description="Name of the secret, of the agent or of all agents, that signs: `whsec_` and base64.",
        examples=["WEBHOOK_SECRET"],
    )


class RunCreate(RunTarget):
    input: JsonValue = Field(default_factory=dict, description="Any JSON value; given to the entrypoint.")
    priority: int = Field(0, ge=-1000, le=1000, description="Larger is sooner.")
    concurrency_key: Text | None = Field(
        None,
        min_length=1,
        max_length=255,
        description="Runs of the agent with this key share the limit of `[concurrency]` and take turns with "
        "others as one. Default: what the input has at `[concurrency] key`.",
    )
    webhook: WebhookTarget | None = Field(None, description="Told when the run has ended.")
    session: str | None = Field(
        None,
        pattern=SESSION_ID,
        description="Session of the agent that the run belongs to; made if it does not exist.",
        examples=["chat-1"],
    )
    on_overlap: Overlap | None = Field(
        None, description="What to do about runs of the session that have not ended; `enqueue` if absent."
    )
    idempotency_key: Text | None = Field(
        None,
        min_length=1,
        max_length=255,
        description="The same key and request again: the same run.",
    )


class RunView(Response):
    id: str
    agent: str
    environment: str
    state: RunState
    version: int | None = Field(description="Null until the first claim of a run that follows `stable`.")
    digest: str | None = Field(
        description="What is executed: the deployment's artifact, or what the overrides of its assistant make "
        "of it. Null until the first claim of a run that follows `stable`."
    )
    artifact_digest: str | None = Field(None, description="The deployment's artifact.")
    assistant: str = Field("", description="The agent's name for its own.")
    assistant_version: int | None = Field(None, description="Null for an agent's own assistant.")
    pinned: bool
    input: JsonValue
    output: JsonValue
    error: ErrorView | None = Field(description="Final error; before the end, the last attempt's.")
    attempt: int
    failures: int
    priority: int
    actor: str
    schedule_id: str | None
    tick: datetime | None = Field(None, description="The tick of its schedule that it is the run of.")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    due_at: datetime | None
    cancel_requested: bool
    why_pending: str | None = Field(description="A sentence while the run is pending.")
    concurrency_key: str | None = Field(None, description="What it shares a limit and turns by.")
    lineage: str | None = Field(None, description="The first run of this line of replays and forks.")
    fork_of: str | None = Field(None, description="The run that it was made of.")
    fork_step: str | None = Field(None, description="The first step that it does not have from there.")
    last_seq: int
    session: str | None = None


class RunSummary(Response):
    """A run in a listing: no input, output or traceback."""

    id: str
    agent: str
    environment: str
    assistant: str = ""
    state: RunState
    version: int | None
    attempt: int
    error: str | None
    actor: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    due_at: datetime | None
    session: str | None = None


class AttemptView(Response):
    number: int
    sandbox: str
    started_at: datetime
    finished_at: datetime | None
    kind: OutcomeKind | None
    error: ErrorView | None
    exit_code: int | None
    max_rss_bytes: int | None
    cpu_seconds: float | None


class EventView(Response):
    """`data` by kind: see `ao.domain.event.EventKind`."""

    seq: int
    kind: EventKind
    at: datetime
    data: dict[str, JsonValue]


class LogLine(Response):
    seq: int = Field(description="Seq of the event that holds the line.")
    index: int = Field(0, description="Place of the line in its event, from 0.")
    at: datetime
    attempt: int
    stream: Literal["stdout", "stderr"]
    text: str
    mark: Literal["partial", "cut", "dropped"] | None = None


class LogMatch(LogLine):
    """A line that was searched for; `text` is without escape sequences."""

    spans: list[tuple[int, int]] = Field(description="[start, end) of what matched, in characters of `text`.")


class LogMatches(Response):
    items: list[LogMatch]
    last_seq: int = Field(description="Searched up to here; pass as `after` to go on.")
    complete: bool = Field(description="All that is there now was searched.")


# --- deployments -----------------------------------------------------------------------------------


class PartView(Response):
    digest: str
    size: int


class WarmView(Response):
    """How runs of a deployment start on this server's worker."""

    state: Literal["ready", "making", "cold"] = Field(
        description="`ready`: as forks of a template. `making`: it is being made. `cold`: each from nothing."
    )
    why_cold: str | None = None


class DeploymentView(Response):
    id: str
    agent: str
    version: int
    status: DeploymentStatus
    digest: str | None
    live: bool = Field(description="`stable` of the default environment points at it.")
    message: str
    actor: str
    error: str | None
    created_at: datetime
    finished_at: datetime | None
    parts: dict[str, PartView] = Field(default_factory=dict)
    config: dict[str, JsonValue] | None = None
    warm: WarmView | None = Field(None, description="Absent for what no run has asked for since the start.")


class BuildLogLine(Response):
    seq: int
    at: datetime
    text: str


class FileChange(Response):
    path: str
    change: Literal["added", "removed", "changed"]
    binary: bool = False
    diff: str = Field("", description="Unified diff of a text file.")


class PartDiff(Response):
    part: Literal["code", "models", "prompts", "tools", "data", "lock", "config"]
    change: Literal["same", "added", "removed", "changed"]
    before: str | None
    after: str | None
    files: list[FileChange] = Field(default_factory=list)


class DiffView(Response):
    agent: str
    before: int
    after: int
    same: bool
    parts: list[PartDiff]


class AgentView(Response):
    name: str
    created_at: datetime
    stable: int | None
    last_good: int | None
    latest: int


class RollbackRequest(Request):
    to: int | None = Field(None, ge=1, le=MAX_VERSION, description="Version; null is `last_good`.")
    reason: Text = Field("", max_length=1000)


class PointerMoveView(Response):
    agent: str
    environment: str
    pointer: str
    frm: int | None = Field(serialization_alias="from", validation_alias="from")
    to: int
    reason: str
    actor: str
    at: datetime


class RollbackView(Response):
    move: PointerMoveView
    restored: list[str]
    not_restored: list[str]


# --- secrets, keys, operations ----------------------------------------------------------


class SecretSet(Request):
    value: str = Field(min_length=1, max_length=64 * 1024)


class SecretView(Response):
    name: str
    agent: str | None = Field(description="Null: all agents may name it.")
    version: int
    updated_at: datetime
    actor: str


class LoginLinkView(Response):
    path: str = Field(description="Below the server's URL; logs in to the dashboard as this key, once.")
    expires_at: datetime


class GcView(Response):
    dry_run: bool
    environments: int
    releases: int
    blobs: int
    freed_bytes: int


class AmountsView(Response):
    """Of what runs share on a worker."""

    memory: int
    """Bytes."""
    cpu: float
    """Cores."""
    gpu: int


class WorkerView(Response):
    id: str
    name: str
    slots: int
    running: int
    sandbox: str
    started_at: datetime
    heartbeat_at: datetime
    alive: bool
    draining: bool
    """It takes nothing more, and ends when what it runs has ended."""
    version: str
    labels: dict[str, str]
    capacity: AmountsView
    used: AmountsView
    """What its runs with a placement have taken."""
    hold: str = ""
    """Why it takes nothing for now, such as a full disk; empty: it does."""


class CheckView(Response):
    name: str
    status: Literal["ok", "warning", "failed"]
    message: str
    hint: str = ""


class StatusView(Response):
    """What the server is and how it is."""

    version: str
    home: str
    database: str
    started_at: datetime
    sandbox: str
    degraded: list[str]
    runs: dict[str, int] = Field(description="Runs that are `ready`, `delayed` and `running`.")
    workers: list[WorkerView]
    checks: list[CheckView]


class ProblemView(Response):
    """`application/problem+json` (RFC 9457); `type` ends with the stable code."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    hint: str = ""
    details: dict[str, JsonValue] = Field(default_factory=dict)
    problems: list[dict[str, JsonValue]] = Field(default_factory=list)
