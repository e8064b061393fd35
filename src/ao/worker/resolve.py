"""From a claim to everything a sandbox needs."""

import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ao.build import Builder
from ao.clock import iso_utc
from ao.control.payloads import Payloads
from ao.control.secrets import Secrets
from ao.domain.agent_config import AgentConfig
from ao.domain.errors import NotFound
from ao.domain.retry import is_class
from ao.ids import DeploymentId, Digest
from ao.sandbox import Entrypoint, Limits, Network, SandboxSpec
from ao.store import StepStore
from ao.store.records import Claim, Deployment
from ao.worker.recall import recall

REMEMBERED = 128
MAX_LAST_ERROR = 8 * 1024


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A deployment on this machine."""

    config: AgentConfig
    code_dir: Path
    env_dir: Path
    entrypoint: Entrypoint
    limits: Limits
    network: Network

    def spec(
        self,
        id: str,
        input_json: str,
        env: Mapping[str, str],
        run_env: Mapping[str, str] | None = None,
        steps: Mapping[str, object] | None = None,
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
            warm=self.config.sandbox.warm,
            limits=self.limits,
            network=self.network,
        )


@dataclass(frozen=True, slots=True)
class Resolved:
    spec: SandboxSpec = field(repr=False)
    """With the secrets in its environment."""
    config: AgentConfig
    secret_values: tuple[str, ...] = field(repr=False)


class Resolver:
    """Remembers unpacked deployments: they never change."""

    def __init__(self, builder: Builder, payloads: Payloads, secrets: Secrets, steps: StepStore) -> None:
        self._steps = steps
        self._builder = builder
        self._payloads = payloads
        self._secrets = secrets
        self._unpacked: OrderedDict[DeploymentId, Unpacked] = OrderedDict()

    async def resolve(self, claim: Claim) -> Resolved:
        """Raises AoError when the release cannot be had or a secret is not set."""
        unpacked = await self._unpack(claim.deployment_id, claim.digest, claim.config, claim.env_key)
        config = unpacked.config
        secrets = await self._secrets.reveal(claim.agent, config.secrets)
        spec = unpacked.spec(
            id=f"{claim.run_id}-{claim.fence}",
            input_json=await self._payloads.text(claim.input) or "null",
            env={**config.env, **secrets, **release_of(claim)},
            run_env=context_of(claim),
            steps=await recall(self._steps, claim, config.step_timeout),
        )
        return Resolved(spec, config, tuple(secrets.values()))

    async def template(self, deployment: Deployment, environment: str) -> SandboxSpec:
        """What its runs there have in common. Raises as `resolve` does."""
        release = deployment.release
        if release is None:
            raise NotFound(f"{deployment.agent} v{deployment.version} has no release")
        unpacked = await self._unpack(deployment.id, release.digest, release.config, release.env_key)
        secrets = await self._secrets.reveal(deployment.agent, unpacked.config.secrets)
        own = _release(deployment.agent, deployment.version, environment)
        return unpacked.spec(id="", input_json="null", env={**unpacked.config.env, **secrets, **own})

    async def _unpack(self, id: DeploymentId, digest: Digest, config_text: str, env_key: str) -> Unpacked:
        known = self._unpacked.get(id)
        if known is not None and known.env_dir.exists() and known.code_dir.exists():
            self._unpacked.move_to_end(id)
            return known
        config = AgentConfig.model_validate(json.loads(config_text))
        unpacked = Unpacked(
            config,
            await self._builder.code_dir(digest),
            await self._builder.env_dir(digest, env_key),
            entrypoint_of(config),
            limits_of(config),
            network_of(config),
        )
        self._unpacked[id] = unpacked
        if len(self._unpacked) > REMEMBERED:
            self._unpacked.popitem(last=False)
        return unpacked


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
    """What all runs of a deployment in one environment are told."""
    return _release(claim.agent, claim.version, claim.environment)


def _release(agent: str, version: int, environment: str) -> dict[str, str]:
    return {"AO_AGENT": agent, "AO_VERSION": str(version), "AO_ENVIRONMENT": environment}


def context_of(claim: Claim) -> dict[str, str]:
    """What this attempt alone is told."""
    context = {"AO_RUN_ID": str(claim.run_id), "AO_ATTEMPT": str(claim.attempt)}
    if claim.last_error is not None:
        text = claim.last_error.replace("\0", "\ufffd")[:MAX_LAST_ERROR]
        context["AO_LAST_ERROR"] = text.encode("utf-8", "replace").decode()
    if claim.tick_us is not None:
        context["AO_SCHEDULED_AT"] = iso_utc(claim.tick_us)
    return context
