"""Which runs may be forks of one template, and which of none."""

import dataclasses
import hashlib

from ao.sandbox import SandboxSpec


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


def template_of(spec: SandboxSpec) -> SandboxSpec:
    """What is the same for all runs of a template."""
    return dataclasses.replace(spec, id="", input_json="null", run_env={}, steps=None)


def key_of(template: SandboxSpec) -> str:
    """Runs with this key differ in nothing that an import could see. Secrets cannot be read from it."""
    parts = dataclasses.astuple(template)
    return hashlib.sha256(repr(parts).encode("utf-8", "surrogatepass")).hexdigest()
