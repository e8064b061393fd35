"""Between records and columns: errors and events as JSON text."""

import json
from collections.abc import Sequence
from typing import Any

from ao.clock import to_datetime
from ao.domain.event import NewEvent
from ao.domain.outcome import ErrorInfo, OutcomeKind
from ao.domain.run import Transition
from ao.store.records import Payload

_encode = json.JSONEncoder(separators=(",", ":")).encode
"""ASCII only, so that NUL and half surrogate pairs in an agent's output cannot fail a write."""


_ERROR_FIELDS = ("type", "traceback", "hint", "exit_code", "signal", "step")


def to_json(value: object) -> str:
    return _encode(value)


def clean(text: str) -> str:
    """Free text that every database takes: NUL and half surrogate pairs become visible marks."""
    return text.replace("\0", "␀").encode("utf-8", "replace").decode()


def error_dict(error: ErrorInfo, *, traceback: bool = True) -> dict[str, object]:
    """The fields that are set."""
    fields: dict[str, object] = {"kind": str(error.kind), "message": error.message}
    for name in ("type", "traceback", "hint", "step"):
        if value := getattr(error, name):
            fields[name] = value
    if error.exit_code is not None:
        fields["exit_code"] = error.exit_code
    if error.signal is not None:
        fields["signal"] = error.signal
    if not traceback:
        fields.pop("traceback", None)
    return fields


def error_text(error: ErrorInfo | None) -> str | None:
    return None if error is None else _encode(error_dict(error))


def error_from(text: str | None) -> ErrorInfo | None:
    if text is None:
        return None
    fields: dict[str, Any] = json.loads(text)
    known = {name: fields[name] for name in _ERROR_FIELDS if name in fields}
    return ErrorInfo(OutcomeKind(fields["kind"]), fields["message"], **known)


def payload_from(inline: str | None, blob: Any) -> Payload | None:
    return None if inline is None and blob is None else Payload(inline, blob)


def state_event(transition: Transition) -> str:
    """The data of the `state` event of a transition."""
    data: dict[str, object] = {
        "from": transition.frm,
        "to": transition.to,
        "reason": transition.reason,
        "actor": transition.actor,
    }
    if transition.error is not None:
        data["error"] = error_dict(transition.error, traceback=False)
    if transition.due_us is not None:
        data["due_at"] = to_datetime(transition.due_us).isoformat()
    return _encode(data)


EncodedEvent = tuple[str, int, str]
"""Kind, instant, data as JSON text."""


def encode_events(events: Sequence[NewEvent]) -> list[EncodedEvent]:
    return [(str(event.kind), event.at_us, _encode(event.data)) for event in events]
