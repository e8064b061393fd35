"""From a claim to everything a sandbox needs."""

import json
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

from ao.build import Builder
from ao.control.payloads import Payloads
from ao.control.secrets import Secrets
from ao.domain.agent_config import AgentConfig
from ao.ids import DeploymentId
from ao.sandbox import Entrypoint, Limits, Network, SandboxSpec
from ao.store import StepStore
from ao.store.records import Claim
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
        unpacked = await self._unpack(claim)
        config = unpacked.config
        secrets = await self._secrets.reveal(claim.agent, config.secrets)
        spec = SandboxSpec(
            id=f"{claim.run_id}-{claim.fence}",
            code_dir=unpacked.code_dir,
            env_dir=unpacked.env_dir,
            python=unpacked.env_dir / "bin" / "python",
            entrypoint=unpacked.entrypoint,
            input_json=await self._payloads.text(claim.input) or "null",
            env={**config.env, **secrets, **release_of(claim)},
            run_env=context_of(claim),
            steps=await recall(self._steps, claim, config.step_timeout),
            warm=config.sandbox.warm,
            limits=unpacked.limits,
            network=unpacked.network,
        )
        return Resolved(spec, config, tuple(secrets.values()))

    async def _unpack(self, claim: Claim) -> Unpacked:
        known = self._unpacked.get(claim.deployment_id)
        if known is not None and known.env_dir.exists() and known.code_dir.exists():
            self._unpacked.move_to_end(claim.deployment_id)
            return known
        config = AgentConfig.model_validate(json.loads(claim.config))
        unpacked = Unpacked(
            config,
            await self._builder.code_dir(claim.digest),
            await self._builder.env_dir(claim.digest, claim.env_key),
            entrypoint_of(config),
            limits_of(config),
            network_of(config),
        )
        self._unpacked[claim.deployment_id] = unpacked
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


def release_of(claim: Claim) -> dict[str, str]:
    """What all runs of a deployment in one environment are told."""
    return {"AO_AGENT": claim.agent, "AO_VERSION": str(claim.version), "AO_ENVIRONMENT": claim.environment}


def context_of(claim: Claim) -> dict[str, str]:
    """What this attempt alone is told."""
    context = {"AO_RUN_ID": str(claim.run_id), "AO_ATTEMPT": str(claim.attempt)}
    if claim.last_error is not None:
        text = claim.last_error.replace("\0", "\ufffd")[:MAX_LAST_ERROR]
        context["AO_LAST_ERROR"] = text.encode("utf-8", "replace").decode()
    return context
