"""Concurrency keys: which runs of an agent share a limit, and what it is."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from ao.domain.agent_config import Concurrency
from ao.domain.errors import InvalidInput, Problem
from ao.store.gates import Gate, Hold

MAX_KEY_CHARACTERS = 255

PREFIX = "key:"


@dataclass(frozen=True, slots=True)
class Share:
    """What a run shares with others."""

    key: str | None
    gates: Sequence[Gate]


ALONE = Share(None, ())


def share_of(agent: str, concurrency: Concurrency, asked: str | None, value: JsonValue) -> Share:
    """The key that was asked for, else the one in the input, and the limit of the agent's deployment. Raises
    InvalidInput when what the input has there cannot be a key."""
    key = asked
    if key is None and concurrency.key is not None:
        key = _key_in(value, concurrency.key)
    if concurrency.limit is None:
        return Share(key, ())
    return Share(key, (Gate(f"{PREFIX}{agent}:{key or ''}", concurrency.limit, Hold.RUNNING),))


def concurrency_of(config: Mapping[str, object]) -> Concurrency:
    """From a deployment's `ao.toml`; older ones have none."""
    return Concurrency.model_validate(config.get("concurrency") or {})


def _key_in(value: JsonValue, path: str) -> str | None:
    """None when there is nothing at the path: such a run counts to those without a key."""
    for name in path.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, dict | list):
        raise _no_key(path, "is no text, number or truth value")
    key = value if isinstance(value, str) else json.dumps(value)
    if len(key) > MAX_KEY_CHARACTERS:
        raise _no_key(path, f"is longer than {MAX_KEY_CHARACTERS} characters")
    return key


def _no_key(path: str, why: str) -> InvalidInput:
    return InvalidInput(
        f"input.{path} {why}, and it is the concurrency key of the run",
        hint="give the key itself with `concurrency_key`, or change [concurrency] key in ao.toml",
        problems=[Problem(f"input.{path}", why)],
    )
