"""What a new run executes."""

from dataclasses import dataclass

import jsonschema_rs

from ao.store.records import Deployment


@dataclass(frozen=True, slots=True)
class Target:
    agent: str
    environment: str
    deployment: Deployment
    """Pinned, or what the environment's `stable` points at now."""
    pinned: bool
    assistant: str | None = None
    """None: the agent's own."""
    assistant_version: int | None = None
    overrides: str = ""
    """Of the assistant."""
    validator: jsonschema_rs.Validator | None = None
    """Of the assistant's `input_schema`; the agent's own is held against the input, too."""
