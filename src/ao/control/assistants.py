"""Assistants: named, versioned configurations that runs execute."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import jsonschema_rs
from pydantic import JsonValue, ValidationError

from ao.control import audit
from ao.control.catalog import Catalog
from ao.control.derivation import Base, Derivation
from ao.control.targets import Target
from ao.domain.assistant import AssistantConfig
from ao.domain.deployment import DEFAULT_ENVIRONMENT
from ao.domain.differences import Difference, differences
from ao.domain.errors import Conflict, InvalidInput, Problem
from ao.ids import DeploymentId
from ao.project import checks
from ao.store import Store
from ao.store.assistants import (
    Assistant,
    AssistantFilter,
    AssistantMove,
    AssistantVersion,
    NewAssistantVersion,
)
from ao.store.records import Deployment
from ao.wire.refusals import refused

REMEMBERED = 256


@dataclass(frozen=True, slots=True)
class Updated:
    assistant: Assistant
    changed: bool


class Assistants:
    def __init__(self, store: Store, catalog: Catalog, derivation: Derivation) -> None:
        self._store = store
        self._catalog = catalog
        self._derivation = derivation
        self._validators: OrderedDict[tuple[str, int], jsonschema_rs.Validator | None] = OrderedDict()

    async def create(
        self, name: str, agent: str, config: AssistantConfig, message: str, actor: str
    ) -> Assistant:
        """Raises NotFound (agent, version), Conflict (the name is taken, nothing live), InvalidInput (what does
        not fit the deployment)."""
        new = await self._checked(agent, config, message, actor)
        entry = audit.entry(actor, "assistant.create", f"assistant:{name}", agent, message=message)
        return await self._store.assistants.create(name, agent, new, entry)

    async def update(
        self, name: str, changes: Mapping[str, JsonValue], base: int | None, message: str, actor: str
    ) -> Updated:
        """The latest version with these changes becomes the next version: `changes` is a JSON merge patch
        (RFC 7396), but an `input_schema` is replaced as a whole. No change makes no version. `base` is the
        version that the changes were made for. Raises as `create` does."""
        there = await self._store.assistants.get(name)
        if there.latest is None or there.archived_us is not None:
            new = NewAssistantVersion("", "", "", None, actor)
            return Updated(await self._store.assistants.update(name, 0, new), changed=False)  # refused there
        config = _patched(config_of(there.latest), changes)
        if config.text() == there.latest.config:  # also when it is sent again after a lost answer
            return Updated(there, changed=False)
        new = await self._checked(there.agent, config, message, actor)
        entry = audit.entry(
            actor,
            "assistant.update",
            f"assistant:{name}",
            there.agent,
            frm=there.latest.version,
            message=message,
        )
        updated = await self._store.assistants.update(name, base or there.latest.version, new, entry)
        return Updated(updated, changed=True)

    async def set_latest(self, name: str, version: int, message: str, actor: str) -> Assistant:
        """The name means this version from now on. What does not fit the deployment any more is refused."""
        there = await self._store.assistants.get(name)
        if there.latest is not None:
            found = await self._store.assistants.version(name, version)
            await self._checked(there.agent, config_of(found), message, actor)
        entry = audit.entry(
            actor, "assistant.set_latest", f"assistant:{name}", there.agent, to=version, message=message
        )
        return await self._store.assistants.set_latest(name, version, message, actor, entry)

    async def archive(self, name: str, message: str, actor: str) -> Assistant:
        """Nothing new runs on it; what runs goes on, and its versions and history stay."""
        agent = await self.agent_of(name)
        entry = audit.entry(actor, "assistant.delete", f"assistant:{name}", agent, message=message)
        return await self._store.assistants.archive(name, message, actor, entry)

    async def get(self, name: str) -> Assistant:
        return await self._store.assistants.get(name)

    async def agent_of(self, name: str) -> str:
        return (await self._store.assistants.get(name)).agent

    async def list(self, where: AssistantFilter, limit: int) -> Sequence[Assistant]:
        return await self._store.assistants.list(where, limit)

    async def version(self, name: str, version: int) -> AssistantVersion:
        return await self._store.assistants.version(name, version)

    async def versions(self, name: str, before: int | None, limit: int) -> Sequence[AssistantVersion]:
        await self._store.assistants.get(name)
        return await self._store.assistants.versions(name, before, limit)

    async def history(self, name: str, before: int | None, limit: int) -> Sequence[AssistantMove]:
        await self._store.assistants.get(name)
        return await self._store.assistants.moves(name, before, limit)

    async def diff(self, name: str, before: int, after: int) -> Sequence[Difference]:
        """What changed from one version to another, field by field."""
        first, second = [await self._store.assistants.version(name, version) for version in (before, after)]
        return differences(config_of(first).document(), config_of(second).document())

    async def target(self, name: str, version: int | None) -> Target:
        """What a run of this assistant executes. Raises NotFound, Conflict (archived, nothing live),
        InvalidInput (its overrides do not fit what is live now)."""
        there = await self._store.assistants.get(name)
        if there.archived_us is not None:
            raise Conflict(
                f"assistant {name} is archived: nothing new runs on it",
                hint=f"`ao assistants create {name}` makes its next version",
            )
        found = there.latest
        if version is not None and (found is None or found.version != version):
            found = await self._store.assistants.version(name, version)
        if found is None:
            deployment = await self._catalog.live(there.agent, DEFAULT_ENVIRONMENT)
            return Target(there.agent, DEFAULT_ENVIRONMENT, deployment, pinned=False)
        deployment = await self._deployment(found.agent, found.environment, found.deployment_id)
        await self._derivation.of(name, found.version, found.overrides, base_of(deployment))
        return Target(
            found.agent,
            found.environment,
            deployment,
            pinned=found.deployment_id is not None,
            assistant=name,
            assistant_version=found.version,
            overrides=found.overrides,
            validator=self._validator(found),
        )

    async def fits(self, assistant: str, version: int, deployment: Deployment) -> None:
        """Raises InvalidInput when this version's overrides do not fit a deployment."""
        found = await self._store.assistants.version(assistant, version)
        await self._derivation.of(assistant, version, found.overrides, base_of(deployment))

    async def _checked(
        self, agent: str, config: AssistantConfig, message: str, actor: str
    ) -> NewAssistantVersion:
        """A version that fits what is there now."""
        _check_schema(config)
        deployment = await self._catalog.resolve(agent, config.environment, config.version)
        if config.overrides.text():
            await self._derivation.check(base_of(deployment), config.overrides)
        return NewAssistantVersion(
            config=config.text(),
            overrides=config.overrides.text(),
            environment=config.environment,
            deployment_id=deployment.id if config.version is not None else None,
            actor=actor,
            message=message,
        )

    async def _deployment(self, agent: str, environment: str, pinned: DeploymentId | None) -> Deployment:
        if pinned is not None:
            return await self._catalog.pinned(pinned)
        return await self._catalog.live(agent, environment)

    def _validator(self, found: AssistantVersion) -> jsonschema_rs.Validator | None:
        key = (found.name, found.version)
        if key not in self._validators:
            schema = config_of(found).input_schema
            self._validators[key] = (
                None if schema is None else jsonschema_rs.validator_for(schema, offline=True)
            )
            if len(self._validators) > REMEMBERED:
                self._validators.popitem(last=False)
        return self._validators[key]


def config_of(version: AssistantVersion) -> AssistantConfig:
    return AssistantConfig.model_validate_json(version.config)


def base_of(deployment: Deployment) -> Base:
    assert deployment.release is not None  # it has succeeded
    name = f"{deployment.agent} v{deployment.version}"
    return Base(deployment.id, name, deployment.release.digest, deployment.release.config)


def _check_schema(config: AssistantConfig) -> None:
    if config.input_schema is None:
        return
    for finding in checks.schema(config.input_schema, ("input_schema",)):
        problem = Problem("input_schema", finding.message, finding.hint)
        raise InvalidInput(finding.message, hint=finding.hint, problems=[problem])


def _patched(config: AssistantConfig, changes: Mapping[str, JsonValue]) -> AssistantConfig:
    document = config.document()
    document = _merged(document, {name: value for name, value in changes.items() if name != "input_schema"})
    if "input_schema" in changes:
        document["input_schema"] = changes["input_schema"]
    try:
        return AssistantConfig.model_validate(document)
    except ValidationError as error:
        raise refused(error, AssistantConfig, document) from error


def _merged(document: Mapping[str, JsonValue], patch: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """A JSON merge patch: objects are merged, null removes, everything else replaces."""
    merged = dict(document)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            inside = merged.get(name)
            merged[name] = _merged(inside if isinstance(inside, dict) else {}, value)
        else:
            merged[name] = value
    return merged
