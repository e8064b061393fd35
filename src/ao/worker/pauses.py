"""What a runner says of questions and sleeps, as values."""

import json
import math
from collections.abc import Mapping

import jsonschema_rs

from ao.domain.errors import InvalidInput
from ao.domain.question import MAX_JSON_BYTES, MAX_QUESTIONS, MAX_TEXT, Asked, Pause, QuestionKind
from ao.domain.step import MAX_PATH_BYTES
from ao.sandbox import Message
from ao.worker.redact import Redactor
from ao_runner.protocol import ProtocolError

MAX_TIMEOUT_SECONDS = 10 * 365 * 86_400.0
MAX_INSTANT_US = 253_402_300_799_000_000
"""The end of the year 9999."""


def question_of(message: Message, redact: Redactor) -> Asked:
    """Raises ProtocolError when it makes no sense, and InvalidInput for what the agent can set right."""
    parent, key = message.get("parent"), message.get("key")
    try:
        kind = QuestionKind(str(message.get("kind")))
    except ValueError as error:
        raise ProtocolError("a question of an unknown kind") from error
    return Asked(
        path=_text(message.get("path")),
        parent=None if parent is None else _text(parent),
        name=_text(message.get("name")),
        key=None if key is None else _text(key),
        kind=kind,
        text=redact(_question_text(message.get("text"))),
        fingerprint=_text(message.get("fingerprint")),
        schema=_schema(message.get("schema")),
        details=_json(redact.value(message.get("details")), "details"),
        timeout_seconds=_seconds(message.get("timeout")),
    )


def pause_of(message: Message, asked: Mapping[str, Asked]) -> Pause:
    """The runner's last word, `pause`. Raises ProtocolError when it makes no sense."""
    paths, wake_us = message.get("questions"), message.get("wake_us")
    if not isinstance(paths, list) or len(paths) > MAX_QUESTIONS or not all(path in asked for path in paths):
        raise ProtocolError("a pause for questions that were not asked")
    if wake_us is not None:
        wake_us = instant_of(wake_us)
    elif not paths:
        raise ProtocolError("a pause for nothing")
    return Pause([asked[path] for path in paths], wake_us)


def instant_of(value: object) -> int:
    """Microseconds of the epoch."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_INSTANT_US:
        raise ProtocolError("an instant that is none")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str) or not _storable(value) or len(value.encode()) > MAX_PATH_BYTES:
        raise ProtocolError("a question that makes no sense")
    return value


def _question_text(value: object) -> str:
    if not isinstance(value, str) or not _storable(value):
        raise InvalidInput("a question is text without NUL characters and halves of surrogate pairs")
    if not 0 < len(value) <= MAX_TEXT:
        raise InvalidInput(f"a question has 1 to {MAX_TEXT:,} characters, not {len(value):,}")
    return value


def _schema(schema: object) -> str | None:
    if schema is None:
        return None
    if not isinstance(schema, dict | bool):
        raise InvalidInput("the schema of the answer is no JSON Schema: it is an object")
    try:
        jsonschema_rs.validator_for(schema, offline=True)
    except (jsonschema_rs.ValidationError, ValueError) as error:
        reason = getattr(error, "message", str(error))
        raise InvalidInput(f"the schema of the answer is no JSON Schema: {reason}") from error
    return _json(schema, "the schema of the answer")


def _json(value: object, what: str) -> str | None:
    if value is None:
        return None
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
    except ValueError as error:
        raise InvalidInput(f"{what}: not JSON: {error}") from error
    if not _storable(text) or len(text.encode()) > MAX_JSON_BYTES:
        raise InvalidInput(f"{what}: more than {MAX_JSON_BYTES:,} bytes, or not text that can be kept")
    return text


def _storable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def _seconds(timeout: object) -> float | None:
    if timeout is None:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not math.isfinite(timeout):
        raise ProtocolError("a timeout that is no number of seconds")
    return min(max(float(timeout), 0.0), MAX_TIMEOUT_SECONDS)
