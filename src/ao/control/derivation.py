"""What a version of an assistant makes of a deployment: the release that its runs execute."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ao.build import Builder
from ao.domain.agent_config import AgentConfig
from ao.domain.assistant import Overrides
from ao.domain.errors import InvalidInput, Problem
from ao.ids import DeploymentId, Digest
from ao.project import checks
from ao.project.nearest import did_you_mean
from ao.project.wording import dotted
from ao.store.assistants import AssistantStore

REMEMBERED = 256


@dataclass(frozen=True, slots=True)
class Base:
    """A deployment's release."""

    deployment_id: DeploymentId
    name: str
    """For people, such as `support v7`."""
    digest: Digest
    config: str


@dataclass(frozen=True, slots=True)
class Derived:
    digest: Digest
    """The base's where nothing is overridden."""
    config: AgentConfig
    files: Digest
    """The release that has its files: the base's unless models or prompts differ."""


class Derivation:
    """Versions and deployments never change, nor does what becomes of both: it is remembered."""

    def __init__(self, builder: Builder, store: AssistantStore) -> None:
        self._builder = builder
        self._store = store
        self._known: OrderedDict[tuple[str, int, DeploymentId], Derived] = OrderedDict()

    async def check(self, base: Base, overrides: Overrides) -> Derived:
        """What these make of the release. Raises InvalidInput with a problem for each that does not fit."""
        config = AgentConfig.model_validate_json(base.config)
        try:
            merged = overrides.over(config)
        except ValidationError as error:
            raise _refused(base, [_contradiction(entry) for entry in error.errors()]) from error
        problems = _unknown_aliases(base.name, config.models, overrides) or _unfit(merged, overrides)
        if problems:
            raise _refused(base, problems)
        try:
            digest = await self._builder.derive(base.digest, merged, overrides.prompts)
        except InvalidInput as error:
            raise _refused(base, error.problems) from error
        return Derived(digest, merged, digest if overrides.changes_files else base.digest)

    async def of(self, assistant: str, version: int, overrides: str, base: Base) -> Derived:
        """What this version's runs execute on a deployment; it is in the store when this returns. Raises as
        `check` does."""
        key = (assistant, version, base.deployment_id)
        if key not in self._known:
            if overrides:
                derived = await self.check(base, Overrides.model_validate_json(overrides))
            else:
                derived = Derived(base.digest, AgentConfig.model_validate_json(base.config), base.digest)
            await self._store.keep_release(assistant, version, base.deployment_id, derived.digest)
            self._known[key] = derived
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return self._known[key]


def _unknown_aliases(name: str, models: Mapping[str, object], overrides: Overrides) -> list[Problem]:
    hint = f"it has {', '.join(models)}" if models else "it pins none; see `[models]` in ao.toml"
    return [
        Problem(
            f"overrides.models.{alias}",
            f"{name} has no model alias {alias}",
            did_you_mean(alias, models) or hint,
        )
        for alias in overrides.models
        if alias not in models
    ]


def _unfit(merged: AgentConfig, overrides: Overrides) -> list[Problem]:
    """What would be wrong with it in an `ao.toml`, as far as these overrides say it."""
    said = overrides.document()
    found = checks.check(merged, said)
    where = {"secrets": "env"}  # a variable that is overridden, and is a secret's
    return [
        Problem(f"overrides.{dotted(finding.path)}", finding.message, finding.hint)
        for finding in found
        if where.get(str(finding.path[0]), finding.path[0]) in said
    ]


def _contradiction(entry: ErrorDetails) -> Problem:
    """Each is right for itself: what the release says does not go with it."""
    field = ".".join(["overrides", *map(str, entry["loc"])])
    return Problem(
        field, str(entry.get("ctx", {}).get("error", entry["msg"])), "override what the release says of it"
    )


def _refused(base: Base, problems: Sequence[Problem]) -> InvalidInput:
    first = problems[0]
    return InvalidInput(
        f"the overrides do not fit {base.name}: {first.field}: {first.message}",
        hint=first.hint,
        problems=problems,
    )
