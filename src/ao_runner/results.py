"""Values on their way to the worker: they must be JSON, and say where they are not."""

from __future__ import annotations

import json

from ao_runner import protocol
from ao_runner.task import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable

    from ao_runner.task import Fields, Task

_UNENCODABLE = (TypeError, ValueError, RecursionError, OverflowError)
_PLAIN = (str, int, bool, type(None))
_CONTAINERS = (dict, list, tuple)
_LONGEST = 4
"""Bytes of a character in UTF-8, at most."""


def last(task: Task, value: Any) -> bytes:
    """The `result` message, checked and encoded."""
    return _encoded({"type": "result", "value": value}, value, "result")


def partial(task: Task, value: Any) -> None:
    task.send_frame(_encoded({"type": "partial", "value": value}, value, "partial"))


def from_file(task: Task) -> bytes:
    """What a script or command wrote to AO_OUTPUT; null when it wrote nothing."""
    try:
        with open(task.output_file, "rb") as file:
            text = file.read()
    except FileNotFoundError:
        return last(task, None)
    if not text.strip():
        return last(task, None)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Failure(
            "error", "InvalidOutput", "the file AO_OUTPUT is not JSON: %s" % error,
            hint="Write one JSON value, such as json.dump(result, file).", permanent=True,
        ) from None  # fmt: skip
    return _encoded({"type": "result", "value": value}, value, "AO_OUTPUT")


def _encoded(message: Fields, value: Any, name: str) -> bytes:
    try:
        frame = protocol.encode(message)
    except protocol.TooLarge:
        frame = b""
    except _UNENCODABLE as error:
        raise _invalid(value, name, error) from None
    _refuse_loss(value, name)
    if not 0 < len(frame) <= protocol.MAX_VALUE_BYTES:
        _bound(value, name)
    return frame


def text_of(value: Any, name: str) -> str:
    """A value as JSON text that every database takes."""
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
    except _UNENCODABLE as error:
        raise _invalid(value, name, error) from None
    _refuse_loss(value, name)
    if len(text) > protocol.MAX_VALUE_BYTES // _LONGEST:
        _bound(value, name)
    try:
        text.encode()
    except UnicodeEncodeError:
        what = "%s holds half of a surrogate pair, which is no text" % name
        raise Failure(
            "error", "InvalidResult", what, hint="Decode with errors='replace'.", permanent=True
        ) from None
    return text


def _refuse_loss(value: Any, name: str) -> None:
    """JSON has strings for keys: of two that are one there, such as 1 and "1", a value would be lost."""
    todo = [value] if isinstance(value, _CONTAINERS) else []
    while todo:
        each = todo.pop()
        items: Iterable[Any] = each
        if isinstance(each, dict):
            items = each.values()
            if any(type(key) is not str for key in each) and len({_key(key) for key in each}) < len(each):
                raise _invalid(value, name, "two keys of an object are one")
        todo += [item for item in items if isinstance(item, _CONTAINERS)]


def _key(key: Any) -> Any:
    """What becomes of it in JSON."""
    return key if isinstance(key, str) else next(iter(json.loads(json.dumps({key: None}))))


def _invalid(value: Any, name: str, error: object) -> Failure:
    try:
        what = _fault(value, name, ()) or "%s: %s" % (name, error)
    except RecursionError:
        what = "%s is nested too deeply" % name
    return Failure(
        "error", "InvalidResult", "what the agent gave is not JSON: %s" % what,
        hint="Return dicts with string keys, lists, strings, finite numbers, true, false and None.",
        permanent=True,
    )  # fmt: skip


def _bound(value: Any, name: str) -> None:
    """Raises `Failure` for what is too large to be kept: a frame would not even carry it to the worker."""
    size = len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass"))
    if size <= protocol.MAX_VALUE_BYTES:
        return
    most = format(protocol.MAX_VALUE_BYTES, ",")
    what = "%s is %s bytes; at most %s are taken" % (name, format(size, ","), most)
    hint = "Pass a reference, such as a path or URL, in place of the content."
    raise Failure("error", "InvalidResult", what, hint=hint, permanent=True)


def _fault(value: Any, path: str, above: tuple[int, ...]) -> str | None:
    """The first place in `value` that is not JSON."""
    if isinstance(value, float):
        return "%s is %r" % (path, value) if value != value or value in (float("inf"), -float("inf")) else None
    if isinstance(value, _PLAIN):
        return None
    if id(value) in above:
        return "%s contains itself" % path
    if isinstance(value, dict):
        keys: dict[Any, Any] = {}
        for key, item in value.items():
            if not isinstance(key, (float, *_PLAIN)):
                return "%s has the key %r, a %s" % (path, key, type(key).__name__)
            other = keys.setdefault(_key(key), key)
            if other is not key:
                return "%s has the keys %r and %r, which are one there" % (path, other, key)
            found = _fault(item, "%s.%s" % (path, key), (*above, id(value)))
            if found:
                return found
        return None
    if isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            found = _fault(item, "%s[%d]" % (path, index), (*above, id(value)))
            if found:
                return found
        return None
    kind = type(value)
    name = kind.__name__ if kind.__module__ == "builtins" else "%s.%s" % (kind.__module__, kind.__qualname__)
    return "%s is %s" % (path, name)
