"""What an assistant says: which agent's release runs, what it may be given, and what it has otherwise.

An override takes the place of what the release says; the release itself never changes.
"""

import json
from typing import Annotated, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    JsonValue,
    Tag,
    field_validator,
    model_validator,
)

from ao.domain.agent_config import (
    AgentConfig,
    Argument,
    EnvName,
    Json,
    PlacementSection,
    Resources,
    Retries,
    Seconds,
)
from ao.domain.deployment import DEFAULT_ENVIRONMENT
from ao.domain.quantities import parse_duration

ASSISTANT_NAME = r"^[a-z][a-z0-9-]{0,62}$"
MAX_OVERRIDES_BYTES = 1 << 20
MAX_PROMPT_CHARACTERS = 256 << 10
MAX_DEPLOYMENT_VERSION = 2**31 - 1


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OtherPrompt(_Section):
    """Another prompt of the release, in the place of one."""

    use: str = Field(min_length=1, max_length=1024, description="Its path in the project.")


def _text_or_table(value: object) -> str:
    return "text" if isinstance(value, str) else "table"


ModelPin = Annotated[
    Annotated[str, Field(min_length=1, max_length=200), Tag("text")] | Annotated[Json, Tag("table")],
    Discriminator(_text_or_table),
]
Prompt = Annotated[
    Annotated[str, Field(max_length=MAX_PROMPT_CHARACTERS), Tag("text")] | Annotated[OtherPrompt, Tag("table")],
    Discriminator(_text_or_table),
]


class Overrides(_Section):
    """In place of what the release says; what is absent stays as it is there."""

    models: dict[str, ModelPin] = Field(
        default_factory=dict, max_length=100, description="Alias of the release → another pin."
    )
    prompts: dict[str, Prompt] = Field(
        default_factory=dict,
        max_length=100,
        description="Path of a prompt of the release → its text, or `{use: path}` for another of its prompts.",
    )
    retries: Retries | None = Field(None, description="A number, or a table as in ao.toml.")
    timeout: Seconds | None = Field(None, description="For each attempt.")
    run_timeout: Seconds | None = Field(None, description="For the whole run.")
    step_timeout: Seconds | None = Field(None, description="For each step that names none of its own.")
    resources: Resources | None = Field(None, description="Limits, as in ao.toml.")
    placement: PlacementSection | None = Field(None, description="Which workers, as in ao.toml.")
    env: dict[EnvName, Argument] = Field(
        default_factory=dict, max_length=100, description="Environment variables; not for secrets."
    )

    _durations = field_validator("timeout", "run_timeout", "step_timeout", mode="before")(
        lambda value: None if value is None else parse_duration(value)
    )

    @field_validator("retries", mode="before")
    @classmethod
    def _number_of_retries(cls, value: object) -> object:
        if isinstance(value, int) and not isinstance(value, bool):
            return {"max_retries": value}
        return value

    @model_validator(mode="after")
    def _not_too_large(self) -> Self:
        if len(self.text()) > MAX_OVERRIDES_BYTES:
            raise ValueError(f"all overrides together have at most {MAX_OVERRIDES_BYTES >> 10} KiB")
        return self

    @property
    def changes_files(self) -> bool:
        """Whether an agent finds other files in its release."""
        return bool(self.models or self.prompts)

    @property
    def seen_by_imports(self) -> bool:
        """Whether an agent that is only imported may see them: its files, variables or limits."""
        return self.changes_files or bool(self.env) or self.resources is not None

    def document(self) -> dict[str, JsonValue]:
        """What is said, and nothing else."""
        said: dict[str, JsonValue] = self.model_dump(mode="json", exclude_unset=True, exclude_none=True)
        return {name: value for name, value in said.items() if value != {}}

    def text(self) -> str:
        """`document` as JSON; empty when nothing is said. Equal overrides have equal text."""
        said = self.document()
        return json.dumps(said, separators=(",", ":"), sort_keys=True) if said else ""

    def over(self, config: AgentConfig) -> AgentConfig:
        """The configuration with what these say; prompts are files, not configuration."""
        merged = config.model_dump(mode="json")
        for name, value in self.document().items():
            if name == "prompts":
                continue
            merged[name] = {**merged[name], **value} if isinstance(value, dict) else value
        return AgentConfig.model_validate(merged)


class AssistantConfig(_Section):
    """One version of an assistant."""

    environment: str = Field(
        DEFAULT_ENVIRONMENT, pattern=ASSISTANT_NAME, description="Its runs follow this environment's `stable`."
    )
    version: int | None = Field(
        None, ge=1, le=MAX_DEPLOYMENT_VERSION, description="Pin a deployment; null follows `stable`."
    )
    description: str = Field("", max_length=1000)
    metadata: dict[str, JsonValue] = Field(
        default_factory=dict, max_length=100, description="Whatever you want to find with it."
    )
    input_schema: Json | None = Field(
        None, description="JSON Schema of the input, checked beside the agent's own."
    )
    overrides: Overrides = Field(default_factory=lambda: Overrides.model_validate({}))

    @model_validator(mode="after")
    def _not_too_large(self) -> Self:
        if len(self.text()) > 2 * MAX_OVERRIDES_BYTES:
            raise ValueError(f"an assistant has at most {2 * MAX_OVERRIDES_BYTES >> 10} KiB")
        return self

    def document(self) -> dict[str, JsonValue]:
        """As JSON, overrides as they were said."""
        said: dict[str, JsonValue] = self.model_dump(mode="json", exclude={"overrides"})
        return {**said, "overrides": self.overrides.document()}

    def text(self) -> str:
        """Equal configurations have equal text."""
        return json.dumps(self.document(), separators=(",", ":"), sort_keys=True)
