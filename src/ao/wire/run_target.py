"""What a request says about what is to run: an agent, or an assistant of one."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from ao.domain.assistant import ASSISTANT_NAME, MAX_DEPLOYMENT_VERSION
from ao.domain.deployment import DEFAULT_ENVIRONMENT


def _never_null(schema: dict[str, Any]) -> None:
    """What is not said is left out."""
    schema |= schema.pop("anyOf")[0]
    del schema["default"]


def _without(*names: str) -> dict[str, object]:
    return {"not": {"anyOf": [{"required": [name]} for name in names]}}


_ONE_OF_BOTH: dict[str, object] = {
    "oneOf": [
        {"required": ["agent"], **_without("assistant", "assistant_version")},
        {"required": ["assistant"], **_without("agent", "version", "environment")},
    ]
}


class RunTarget(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra=_ONE_OF_BOTH)  # type: ignore[typeddict-item]

    assistant: str | None = Field(
        None,
        pattern=ASSISTANT_NAME,
        description="In place of `agent`, `version` and `environment`.",
        json_schema_extra=_never_null,
    )
    assistant_version: int | None = Field(
        None,
        ge=1,
        le=MAX_DEPLOYMENT_VERSION,
        description="Of the assistant; otherwise its latest.",
        json_schema_extra=_never_null,
    )
    agent: str | None = Field(
        None,
        pattern=ASSISTANT_NAME,
        validate_default=True,
        description="Either this or `assistant`.",
        examples=["support"],
        json_schema_extra=_never_null,
    )
    version: int | None = Field(
        None, ge=1, le=MAX_DEPLOYMENT_VERSION, description="Pin a deployment; null follows `stable`."
    )
    environment: str = Field(DEFAULT_ENVIRONMENT, pattern=ASSISTANT_NAME)

    @field_validator("agent")
    @classmethod
    def _one_of_both(cls, agent: str | None, info: ValidationInfo) -> str | None:
        if agent is None and info.data.get("assistant", "refused") is None:
            raise PydanticCustomError("missing", "is required", {"hint": "or name an `assistant`"})
        return agent

    @field_validator("agent", "version", "environment")
    @classmethod
    def _said_by_the_assistant(cls, value: object, info: ValidationInfo) -> object:
        if value is not None and info.data.get("assistant") is not None:
            raise PydanticCustomError("which", "is said by the `assistant`: leave it out")
        return value

    @field_validator("assistant_version")
    @classmethod
    def _of_which_assistant(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is not None and info.data.get("assistant", "refused") is None:
            raise PydanticCustomError("which", "needs the `assistant` that it is a version of")
        return value
