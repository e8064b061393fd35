"""`ao.toml` as a value. The JSON Schema in the package and the reference in the docs come from here.

Unknown fields are refused. Reading a file and pointing at lines is `ao.project.config`.
"""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from ao.domain.placement import MAX_CHARACTERS, MAX_LABELS, PATIENCE_SECONDS, check_label, placement_of
from ao.domain.quantities import parse_duration, parse_size
from ao.domain.retry import RetryPolicy, check_rule

Json = dict[str, object]

MAX_ARGUMENT_BYTES = 100_000
"""Of one environment variable or argument; the kernel's limit is 128 KiB."""

_NAME = r"^[a-z][a-z0-9-]{0,62}$"
_ENV_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")


def _env_name(name: str) -> str:
    if not _ENV_NAME.match(name):
        raise ValueError("a variable's name has letters, digits and _ and does not start with a digit")
    if name.startswith("AO_") or name == "AGENT_INPUT":
        raise ValueError("names that start with AO_, and AGENT_INPUT, are set by AO itself")
    return name


def _argument(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not contain a NUL byte: no program can be given one")
    if len(text.encode("utf-8", "surrogatepass")) > MAX_ARGUMENT_BYTES:
        raise ValueError(f"must not be larger than {MAX_ARGUMENT_BYTES} bytes: put it into a file")
    return text


Size = Annotated[int, Field(json_schema_extra={"type": ["integer", "string"]})]
Seconds = Annotated[float, Field(gt=0, json_schema_extra={"type": ["number", "string"]})]
EnvName = Annotated[str, AfterValidator(_env_name)]
Argument = Annotated[str, AfterValidator(_argument)]
RetryRule = Annotated[str, AfterValidator(check_rule)]
Label = Annotated[str, AfterValidator(check_label)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class Retries(_Section):
    """Automatic retries of a failed attempt."""

    max_retries: int = Field(3, ge=0, le=1000, description="Retries after the first attempt: 3 are 4 attempts.")
    backoff: float = Field(2.0, ge=1, le=100, description="Factor between one delay and the next.")
    initial_delay: Seconds = Field(1.0, description="Wait before the first retry.")
    max_delay: Seconds = Field(300.0, description="No wait grows beyond this.")
    jitter: bool = Field(True, description="Add up to 1 s at random, so that runs do not retry in step.")
    permanent: list[RetryRule] = Field(
        default_factory=list,
        max_length=100,
        description="What is not tried again: classes of exceptions, which stand for their subclasses, such as "
        '`"ValueError"` or `"mypkg.BadInput"`; `"exit:2"` or any `"exit"`; `"signal:SIGSEGV"` or any '
        '`"signal"`; `"timeout"`, `"out_of_memory"`, `"limit"`.',
    )
    transient: list[RetryRule] = Field(
        default_factory=list,
        max_length=100,
        description="What is tried again although something wider is permanent.",
    )

    _durations = field_validator("initial_delay", "max_delay", mode="before")(parse_duration)

    @model_validator(mode="after")
    def _one_verdict(self) -> Self:
        if both := sorted({*self.permanent} & {*self.transient}):
            raise ValueError(f"{both[0]} is both in permanent and in transient")
        return self

    def policy(self) -> RetryPolicy:
        return RetryPolicy(
            self.max_retries,
            self.backoff,
            self.initial_delay,
            self.max_delay,
            self.jitter,
            frozenset(self.permanent),
            frozenset(self.transient),
        )


class Resources(_Section):
    """Limits for the whole process tree of one attempt."""

    cpu: float | None = Field(None, gt=0, le=1024, description="Cores; no limit by default.")
    memory: Size = Field(1 << 30, description="Resident memory of all processes together.")
    pids: int = Field(256, ge=1, le=1_000_000, description="Processes and threads.")
    disk: Size = Field(1 << 30, description="Files in the work directory.")
    open_files: int = Field(1024, ge=16, le=1_048_576, description="Open files of each process.")
    output: Size = Field(
        64 << 20, description="stdout and stderr of one attempt; what exceeds it is cut, visibly."
    )
    gpu: int = Field(
        0,
        ge=0,
        le=64,
        description="GPUs that are kept for a run; its worker must have them free.",
    )

    _sizes = field_validator("memory", "disk", "output", mode="before")(parse_size)


class PlacementSection(_Section):
    """Which workers its runs go to, and what is kept for each of them there; any, and nothing, by default."""

    requires: dict[Label, Label] = Field(
        default_factory=dict,
        max_length=MAX_LABELS,
        description='Labels that a worker must have, such as `{gpu = "a100"}`.',
    )
    prefers: dict[Label, Label] = Field(
        default_factory=dict,
        max_length=MAX_LABELS,
        description="Labels that a worker should have: those with more of them come first.",
    )
    patience: Seconds = Field(
        PATIENCE_SECONDS, le=3600, description="So long a run is left to better workers that have room for it."
    )
    memory: Size | None = Field(
        None,
        le=1 << 50,
        description="Memory of the worker that is kept for a run; what it may use says `[resources]`.",
    )
    cpu: float | None = Field(None, ge=0.001, le=1024, description="Cores that are kept for a run.")

    _sizes = field_validator("memory", mode="before")(
        lambda value: None if value is None else parse_size(value)
    )
    _durations = field_validator("patience", mode="before")(parse_duration)

    @model_validator(mode="after")
    def _not_too_large(self) -> Self:
        if len(placement_of({"placement": self.model_dump()}) or "") > MAX_CHARACTERS - 20:
            raise ValueError(f"all labels together have at most about {MAX_CHARACTERS} characters")
        return self


class SandboxSection(_Section):
    """What an attempt may reach."""

    network: Literal["none", "models", "full"] | list[str] = Field(
        "models",
        description='`"none"`, `"models"` (only AO\'s model gateway), `"full"`, or a list of hosts such as '
        '`["api.github.com", "*.example.com:443"]`.',
    )
    tmp: Size = Field(256 << 20, description="Size of the private `/tmp`.")
    warm: bool = Field(
        True,
        description="Start runs as forks of a process that has imported the agent, where that is safe.",
    )
    image: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._/:@-]*$",
        max_length=255,
        description="Image that runs start from on workers with `AO_SANDBOX=docker`, in place of their "
        "`AO_DOCKER_IMAGE`. It needs the agent's Python; release and environment are mounted into it.",
    )
    dockerfile: str | None = Field(
        None,
        pattern=r"^[^*?\[\]]+$",
        max_length=255,
        exclude_if=lambda name: name is None,  # releases without one stay what they are
        description='Dockerfile in the project, such as `"image/Dockerfile"`, from which that image is built, '
        "once for what is in its directory.",
    )

    _sizes = field_validator("tmp", mode="before")(parse_size)

    @model_validator(mode="after")
    def _one_image(self) -> Self:
        if self.image is not None and self.dockerfile is not None:
            raise ValueError("give either `image` or `dockerfile`")
        return self


class Concurrency(_Section):
    """How many runs go on at a time. Of the others those with the highest priority go next, then the oldest."""

    limit: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description="Runs with the same concurrency key that go on at a time; those without a key count as one "
        "more. No limit by default.",
    )
    key: str | None = Field(
        None,
        pattern=r"^[^.\s]+(\.[^.\s]+)*$",
        max_length=255,
        description='Where the input has the key of a run that was given none, such as `"customer.id"`.',
    )


class Build(_Section):
    """How the environment is made."""

    python: str | None = Field(
        None, description='Python version, such as `"3.12"`; same as the top-level `python`.'
    )
    node: str | None = Field(None, description="Node.js major version that the host must have.")
    system: list[str] = Field(default_factory=list, description="System packages that the host must have.")
    source: bool = Field(
        False, description="Allow packages that have no wheel; they are built in a sandbox, without secrets."
    )


class Paths(_Section):
    """Files of the project that form one part of the release."""

    paths: list[str] = Field(default_factory=list, description="Files, directories or globs in the project.")


class Tools(Paths):
    """The tools that the agent may call."""

    allow: list[str] = Field(default_factory=list, description="Names of tools that the agent may call.")
    deny: list[str] = Field(default_factory=list, description="Names of tools that the agent may not call.")
    ask: list[str] = Field(default_factory=list, description="Names of tools that need an approval.")


class AgentConfig(_Section):
    """One agent: what it is, how it is built, how it runs."""

    name: str = Field(pattern=_NAME, description="Lower-case letters, digits and dashes.")
    description: str = Field("", max_length=1000)
    entrypoint: str | None = Field(
        None, description='`"module:function"`, or a script such as `"agent.py"`. Either this or `command`.'
    )
    command: list[Argument] | None = Field(None, min_length=1, description="Any program with its arguments.")
    python: str | None = Field(None, description='Python version, such as `"3.12"`. It must be on the host.')
    requirements: str | None = Field(
        None, description="Requirements file, `pyproject.toml`, or a lock; found by itself when absent."
    )
    retries: Retries = Field(
        default_factory=lambda: Retries.model_validate({}), description="A number, or a table."
    )
    timeout: Seconds = Field(600.0, description="For each attempt; retried.")
    run_timeout: Seconds | None = Field(None, description="For the whole run without queue and pauses; final.")
    queue_timeout: Seconds | None = Field(
        None,
        description="A run that no worker has taken by then is cancelled; counts from its submit. Replays and "
        "forks wait as long as it takes.",
    )
    step_timeout: Seconds | None = Field(None, description="For each step that names none of its own; retried.")
    cron: str | None = Field(None, description='Run by itself, such as `"0 9 * * 1-5"` or `"@every 15m"`.')
    timezone: str = Field("UTC", description="IANA time zone of `cron`.")
    overlap: Literal["skip", "queue", "cancel_previous", "allow"] = Field(
        "skip",
        description="What to do with a tick while an earlier run of the schedule has not ended: no run, a run "
        "that waits for it, a run in its place, or a run beside it.",
    )
    missed: Literal["skip", "latest", "all"] = Field(
        "latest", description="What to do with ticks that fell into a downtime: none, only the newest, or all."
    )
    catch_up: Seconds | None = Field(
        None, description="Ticks that are late by more than this are never made up for."
    )
    cron_input: Json = Field(default_factory=dict, description="Input of scheduled runs.")
    env: dict[EnvName, Argument] = Field(
        default_factory=dict, description="Environment variables; not for secrets."
    )
    secrets: list[EnvName] = Field(default_factory=list, description="Names of secrets to inject as variables.")
    input_schema: str | Json | None = Field(
        None, description="JSON Schema of the input: a table, or a `.json` file in the project."
    )
    resources: Resources = Field(default_factory=lambda: Resources.model_validate({}))
    placement: PlacementSection = Field(default_factory=lambda: PlacementSection.model_validate({}))
    concurrency: Concurrency = Field(default_factory=lambda: Concurrency.model_validate({}))
    sandbox: SandboxSection = Field(default_factory=lambda: SandboxSection.model_validate({}))
    build: Build = Field(default_factory=lambda: Build.model_validate({}))
    models: dict[str, str | Json] = Field(
        default_factory=dict, description='Model pins: alias → `"provider/model"`, or a table of settings.'
    )
    prompts: Paths = Field(default_factory=lambda: Paths(paths=["prompts/"]))
    tools: Tools = Field(default_factory=lambda: Tools.model_validate({}))
    data: Paths = Field(default_factory=lambda: Paths(paths=["data/"]))

    _durations = field_validator(
        "timeout", "run_timeout", "queue_timeout", "step_timeout", "catch_up", mode="before"
    )(lambda value: None if value is None else parse_duration(value))

    @field_validator("retries", mode="before")
    @classmethod
    def _number_of_retries(cls, value: object) -> object:
        if isinstance(value, int) and not isinstance(value, bool):
            return {"max_retries": value}
        return value

    @model_validator(mode="after")
    def _one_entrypoint(self) -> Self:
        if (self.entrypoint is None) == (self.command is None):
            raise ValueError("give either `entrypoint` or `command`")
        return self
