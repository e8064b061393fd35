"""Bodies of the REST API about assistants."""

from datetime import datetime
from typing import Literal

from pydantic import Field, JsonValue

from ao.domain.agent_config import Json
from ao.domain.assistant import ASSISTANT_NAME, MAX_DEPLOYMENT_VERSION, AssistantConfig
from ao.wire.schemas import MAX_VERSION, Request, Response, Text


class AssistantCreate(AssistantConfig):
    name: str = Field(pattern=ASSISTANT_NAME, description="Not that of an agent.", examples=["brief"])
    agent: str = Field(pattern=ASSISTANT_NAME, description="Whose release runs.", examples=["support"])
    message: Text = Field("", max_length=1000, description="Why; shown in the history.")

    def config(self) -> AssistantConfig:
        said = {name: getattr(self, name) for name in self.model_fields_set & set(AssistantConfig.model_fields)}
        return AssistantConfig.model_construct(**said)


class AssistantUpdate(Request):
    """What changes. `overrides` and `metadata` are merged into those that are there (RFC 7396: null removes);
    everything else takes the place of what is there."""

    environment: str | None = Field(None, pattern=ASSISTANT_NAME)
    version: int | None = Field(
        None, ge=1, le=MAX_DEPLOYMENT_VERSION, description="Pin a deployment; null follows `stable`."
    )
    description: str | None = Field(None, max_length=1000)
    metadata: dict[str, JsonValue] | None = None
    input_schema: Json | None = None
    overrides: dict[str, JsonValue] | None = Field(
        None, description="As in a new assistant; null removes what is named."
    )
    message: Text = Field("", max_length=1000, description="Why; shown in the history.")
    base: int | None = Field(
        None, ge=1, le=MAX_VERSION, description="The latest version as you know it: 409 when it is another."
    )

    def changes(self) -> dict[str, JsonValue]:
        return self.model_dump(mode="json", exclude_unset=True, exclude={"message", "base"})


class SetLatest(Request):
    version: int = Field(ge=1, le=MAX_VERSION)
    message: Text = Field("", max_length=1000)


class AssistantVersionView(Response):
    assistant: str
    agent: str
    version: int
    config: dict[str, JsonValue] = Field(description="As in a new assistant.")
    actor: str
    message: str
    created_at: datetime


class AssistantView(Response):
    name: str
    agent: str
    own: bool = Field(description="The agent's own assistant: the agent as it is released.")
    version: int | None = Field(description="The latest: what the name means. Null for an agent's own.")
    newest: int = Field(description="Highest version.")
    environment: str
    pinned: int | None = Field(description="The deployment that its runs execute; null follows `stable`.")
    description: str
    config: dict[str, JsonValue] = Field(description="Of the latest version.")
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None = Field(description="Since when nothing new runs on it.")


class AssistantMoveView(Response):
    seq: int
    action: Literal["created", "updated", "set_latest", "archived"]
    frm: int | None = Field(serialization_alias="from", validation_alias="from")
    to: int
    actor: str
    message: str
    at: datetime


class DifferenceView(Response):
    path: str
    before: JsonValue = Field(description="Null where it was not there.")
    after: JsonValue
    diff: str = Field(description="Unified, where both are text of several lines.")


class AssistantDiffView(Response):
    assistant: str
    before: int
    after: int
    same: bool
    changes: list[DifferenceView]
