"""From a claim to everything a sandbox needs."""

import json
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from ao.build import Builder
from ao.clock import iso_utc
from ao.control.derivation import Base, Derivation
from ao.control.payloads import Payloads
from ao.control.secrets import Secrets
from ao.domain.agent_config import AgentConfig
from ao.domain.assistant import Overrides
from ao.domain.errors import NotFound
from ao.domain.retry import is_class
from ao.ids import DeploymentId, Digest
from ao.sandbox import Entrypoint, Limits, Network, SandboxSpec, StopCause
from ao.store import Store
from ao.store.records import Claim, Deployment
from ao.worker.recall import recall
from ao.worker.redact import NOTHING, Redactor
from ao.worker.sessions import Attendance, Attended

REMEMBERED = 128
TRUSTED_SECONDS = 60.0
"""Then the builder is asked again, and knows that it is in use."""
MAX_LAST_ERROR = 8 * 1024
Key = tuple[DeploymentId, str, int]
"""A deployment, and the assistant's version that has something over it; of none for the agent's own."""


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A deployment on this machine."""

    config: AgentConfig
    code_dir: Path
    env_dir: Path
    entrypoint: Entrypoint
    limits: Limits
    network: Network
    since: float = field(default_factory=time.monotonic)

    def is_there(self) -> bool:
        """For sure: nobody removes what the builder was asked for so recently."""
        is_fresh = time.monotonic() - self.since < TRUSTED_SECONDS
        return is_fresh and self.env_dir.exists() and self.code_dir.exists()

    def spec(
        self,
        id: str,
        input_json: str,
        env: Mapping[str, str],
        run_env: Mapping[str, str] | None = None,
        steps: Mapping[str, object] | None = None,
        session: Mapping[str, object] | None = None,
        redact: Redactor = NOTHING,
    ) -> SandboxSpec:
        return SandboxSpec(
            id=id,
            code_dir=self.code_dir,
            env_dir=self.env_dir,
            python=self.env_dir / "bin" / "python",
            entrypoint=self.entrypoint,
            input_json=input_json,
            env=env,
            run_env=run_env or {},
            steps=steps,
            retries=classes_of(self.config),
            session=session,
            redact=redact.beginning,
            warm=self.config.sandbox.warm,
            limits=self.limits,
            network=self.network,
            image=self.config.sandbox.image,
            dockerfile=self.config.sandbox.dockerfile,
        )


@dataclass(frozen=True, slots=True)
class Resolved:
    spec: SandboxSpec = field(repr=False)
    """With the secrets in its environment."""
    config: AgentConfig
    redact: Redactor = field(repr=False)
    session: Attended | None = field(default=None, repr=False)


class Resolver:
    """Remembers unpacked deployments: they never change."""

    def __init__(
        self,
        builder: Builder,
        payloads: Payloads,
        secrets: Secrets,
        store: Store,
        attendance: Attendance,
        derivation: Derivation,
        booted_us: Callable[[], int | None],
    ) -> None:
        """`booted_us` says when this machine booted by the store's clock; None: sleepers go by its own."""
        self._store = store
        self.attendance = attendance
        self._derivation = derivation
        self._builder = builder
        self._payloads = payloads
        self._secrets = secrets
        self._booted_us = booted_us
        self._unpacked: OrderedDict[Key, Unpacked] = OrderedDict()

    async def resolve(self, claim: Claim) -> Resolved:
        """Raises AoError when the release cannot be had or a secret is not set."""
        unpacked = await self._of(claim)
        config = unpacked.config
        secrets = await self._secrets.reveal(claim.agent, config.secrets)
        redact = Redactor(secrets.values()) if secrets else NOTHING
        session = await self.attendance.open(claim) if claim.session is not None else None
        spec = unpacked.spec(
            id=f"{claim.run_id}-{claim.fence}",
            input_json=await self._payloads.text(claim.input) or "null",
            env={**config.env, **secrets, **release_of(claim)},
            run_env=context_of(claim),
            steps=await recall(self._store.steps, claim, config.step_timeout, self._booted_us()),
            session=None if session is None else session.words,
            redact=redact,
        )
        return Resolved(spec, config, redact, session)

    async def template(self, deployment: Deployment, environment: str) -> SandboxSpec:
        """What its runs there have in common. Raises as `resolve` does."""
        release = deployment.release
        if release is None:
            raise NotFound(f"{deployment.agent} v{deployment.version} has no release")
        key = (deployment.id, "", 0)
        unpacked = await self._unpack(key, release.digest, release.env_key, lambda: _read(release.config))
        secrets = await self._secrets.reveal(deployment.agent, unpacked.config.secrets)
        own = _release(deployment.agent, deployment.version, environment)
        env = {**unpacked.config.env, **secrets, **own}
        return unpacked.spec(id="", input_json="null", env=env, redact=Redactor(secrets.values()))

    async def _of(self, claim: Claim) -> Unpacked:
        if claim.assistant is None:
            key = (claim.deployment_id, "", 0)
            return await self._unpack(key, claim.digest, claim.env_key, lambda: _read(claim.config))
        base = Base(claim.deployment_id, f"{claim.agent} v{claim.version}", claim.digest, claim.config)
        derived = await self._derivation.of(claim.assistant, claim.assistant_version, claim.overrides, base)
        key = (claim.deployment_id, claim.assistant, claim.assistant_version)
        return await self._unpack(key, derived.files, claim.env_key, lambda: derived.config)

    async def _unpack(
        self, key: Key, digest: Digest, env_key: str, config_of: Callable[[], AgentConfig]
    ) -> Unpacked:
        known = self._unpacked.get(key)
        if known is not None and known.is_there():
            self._unpacked.move_to_end(key)
            return known
        config = config_of()

        async def recipe() -> str | None:
            release = (await self._store.deployments.get_by_id(key[0])).release
            return None if release is None else release.recipe

        unpacked = Unpacked(
            config,
            await self._builder.code_dir(digest),
            await self._builder.env_dir(digest, env_key, recipe),
            entrypoint_of(config),
            limits_of(config),
            network_of(config),
        )
        self._unpacked[key] = unpacked
        if len(self._unpacked) > REMEMBERED:
            self._unpacked.popitem(last=False)
        return unpacked


def _read(config: str) -> AgentConfig:
    return AgentConfig.model_validate(json.loads(config))


def entrypoint_of(config: AgentConfig) -> Entrypoint:
    if config.command is not None:
        return Entrypoint("command", command=tuple(config.command))
    target = config.entrypoint or ""
    return Entrypoint("function" if ":" in target else "script", target)


def limits_of(config: AgentConfig) -> Limits:
    resources = config.resources
    return Limits(
        memory_bytes=resources.memory,
        processes=resources.pids,
        open_files=resources.open_files,
        disk_bytes=resources.disk,
        tmp_bytes=config.sandbox.tmp,
        cpu=resources.cpu,
    )


def network_of(config: AgentConfig) -> Network:
    policy = config.sandbox.network
    return Network("hosts", tuple(policy)) if isinstance(policy, list) else Network(policy)


def classes_of(config: AgentConfig) -> dict[str, list[str]] | None:
    """The part of the retry policy that only the runner can apply: it has the exception itself."""
    if not any(map(is_class, config.retries.permanent)):
        return None
    rules = {"permanent": config.retries.permanent, "transient": config.retries.transient}
    return {verdict: [rule for rule in given if is_class(rule)] for verdict, given in rules.items()}


def release_of(claim: Claim) -> dict[str, str]:
    """What all runs of a deployment in one environment are told. Those of an assistant whose overrides an
    import may see are told of it, too: this keeps its templates apart from all others."""
    told = _release(claim.agent, claim.version, claim.environment)
    return {**told, **_assistant(claim)} if _has_own_templates(claim) else told


def _release(agent: str, version: int, environment: str) -> dict[str, str]:
    return {"AO_AGENT": agent, "AO_VERSION": str(version), "AO_ENVIRONMENT": environment}


def _assistant(claim: Claim) -> dict[str, str]:
    if claim.assistant is None:
        return {}
    return {"AO_ASSISTANT": claim.assistant, "AO_ASSISTANT_VERSION": str(claim.assistant_version)}


def _has_own_templates(claim: Claim) -> bool:
    return bool(claim.overrides) and _seen_by_imports(claim.overrides)


@lru_cache(maxsize=REMEMBERED)
def _seen_by_imports(overrides: str) -> bool:
    return Overrides.model_validate_json(overrides).seen_by_imports


def context_of(claim: Claim) -> dict[str, str]:
    """What this attempt alone is told."""
    context = {"AO_RUN_ID": str(claim.run_id), "AO_ATTEMPT": str(claim.attempt)}
    if claim.session is not None:
        context["AO_SESSION"] = claim.session
    if not _has_own_templates(claim):
        context |= _assistant(claim)
    if claim.last_error is not None:
        text = claim.last_error.replace("\0", "\ufffd")[:MAX_LAST_ERROR]
        context["AO_LAST_ERROR"] = text.encode("utf-8", "replace").decode()
    if claim.tick_us is not None:
        context["AO_SCHEDULED_AT"] = iso_utc(claim.tick_us)
    return context


def time_limit(config: AgentConfig, active_us: int) -> tuple[float, StopCause]:
    """Seconds that this attempt may take, and which limit that is."""
    if config.run_timeout is not None:
        left = max(0.0, config.run_timeout - active_us / 1e6)
        if left < config.timeout:
            return left, StopCause.RUN_TIMEOUT
    return config.timeout, StopCause.TIMEOUT
