"""Which runs may be forks of one template, and which of none."""

import dataclasses
from collections.abc import Hashable

from ao.domain.terminal import plain
from ao.sandbox import SandboxSpec

_MOST_WORDS = 2000
"""Characters."""


def unfit(spec: SandboxSpec) -> str:
    """Why this run must start cold, in words; empty when nothing forbids another way."""
    if not spec.warm:
        return "switched off in ao.toml"
    if spec.entrypoint.kind != "function":
        return f"a {spec.entrypoint.kind} has nothing to import ahead; module:function has"
    if spec.network.policy == "hosts":
        return "a list of hosts: the way out is opened for each run, and an import would not find it"
    if spec.writable_dirs:
        return "it writes to directories of the host"
    return ""


def in_words(spec: SandboxSpec, reason: str) -> str:
    """A reason that may quote the agent, as it can be stored and shown."""
    text = spec.redact(reason).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return plain(" ".join(text.split()))[:_MOST_WORDS]


def template_of(spec: SandboxSpec) -> SandboxSpec:
    """What is the same for all runs of a template."""
    return dataclasses.replace(spec, id="", input_json="null", run_env={}, steps=None, session=None)


def key_of(spec: SandboxSpec) -> Hashable:
    """Runs with an equal key differ in nothing that an import could see. It holds the secrets, too."""
    place = (spec.code_dir, spec.env_dir, spec.python, spec.entrypoint.target)
    return (*place, frozenset(spec.env.items()), spec.limits, spec.network.policy, *spec.readable_dirs)
