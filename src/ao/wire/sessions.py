"""Bodies of the API about sessions."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, JsonValue

from ao.domain.session import MAX_ROLE, Change
from ao.wire.schemas import AGENT_NAME, SESSION_ID, Request, Response

MAX_EDITED_MESSAGES = 1_000

SessionId = Annotated[str, Field(pattern=SESSION_ID, description="Yours; made by the server if absent.")]
Force = Annotated[bool, Field(description="Even while a run of it has not ended.")]


class MessageIn(Request):
    role: str = Field(pattern=r"^[^\x00-\x1f]+$", max_length=MAX_ROLE, examples=["user"])
    content: JsonValue


class SessionCreate(Request):
    agent: str = Field(pattern=AGENT_NAME, examples=["support"])
    id: SessionId | None = None
    state: dict[str, JsonValue] = Field(default_factory=dict)
    messages: list[MessageIn] = Field(default_factory=list, max_length=MAX_EDITED_MESSAGES)


class SessionPatch(Request):
    state: dict[str, JsonValue] = Field(default_factory=dict, description="Keys to set; others stay.")
    remove: list[str] = Field(default_factory=list, description="Keys to remove.")
    messages: list[MessageIn] = Field(
        default_factory=list, max_length=MAX_EDITED_MESSAGES, description="To append."
    )
    version: int | None = Field(None, ge=1, description="Refused when the session has another one by now.")
    force: Force = False


class SessionRestore(Request):
    version: int = Field(ge=1, description="What it is to be again.")
    force: Force = False


class SessionCopy(Request):
    id: SessionId | None = None
    version: int | None = Field(None, ge=1, description="Begin as it was then; null: as it is now.")


class WorkspaceSummary(Response):
    digest: str
    files: int
    bytes: int


class SessionSummary(Response):
    agent: str
    id: str
    version: int = Field(description="Rises with every change.")
    created_at: datetime
    used_at: datetime = Field(description="Its last run was created, or somebody changed it.")
    changed_at: datetime
    actor: str = Field(description="Who made it.")
    messages: int
    workspace: WorkspaceSummary | None
    active_run: str | None = Field(description="The run that has it now.")
    open_runs: int = Field(description="Runs that have not ended: the active one and those that wait.")


class SessionView(SessionSummary):
    state: dict[str, JsonValue]


class MessageView(Response):
    seq: int
    role: str
    content: JsonValue
    run_id: str | None = Field(description="Null for what people have added.")
    at: datetime


class SessionVersionSummary(Response):
    version: int
    at: datetime
    change: Change
    actor: str
    run_id: str | None
    step: str = Field(description="Path of the step that it was committed with; empty outside of steps.")
    changed: list[Literal["state", "messages", "workspace"]]
    messages: int
    workspace: WorkspaceSummary | None


class SessionVersionView(SessionVersionSummary):
    state: dict[str, JsonValue]


class SessionDeleted(Response):
    cancelled: list[str] = Field(description="Runs that were cancelled.")


class WorkspaceEntry(Response):
    path: str
    kind: Literal["file", "dir", "link"]
    mode: int
    size: int
    target: str = Field("", description="Of a link.")


class WorkspaceView(Response):
    version: int
    files: int
    bytes: int
    entries: list[WorkspaceEntry]
