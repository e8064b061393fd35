"""Answers as bytes, straight from pydantic's serializer."""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence

from fastapi import Response
from pydantic import BaseModel
from pydantic_core import PydanticSerializationError

from ao.domain.errors import InvalidInput, Problem


def encode(view: BaseModel) -> bytes:
    """JSON bytes of a view, by alias.

    An agent may have put a lone surrogate into its output; it leaves escaped, as it came.
    """
    try:
        return view.__pydantic_serializer__.to_json(view, by_alias=True)
    except PydanticSerializationError:
        plain = view.model_dump(mode="python", by_alias=True)
        return json.dumps(plain, default=_plain, separators=(",", ":")).encode()


def reply(view: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(encode(view), status, headers, media_type="application/json")


def reply_list(views: Sequence[BaseModel]) -> Response:
    return Response(b"[" + b",".join(map(encode, views)) + b"]", media_type="application/json")


def cursor(position: str | int) -> str:
    """An opaque cursor for the item after which the next page starts."""
    return base64.urlsafe_b64encode(str(position).encode()).decode().rstrip("=")


def read_cursor(text: str | None) -> str | None:
    """What `cursor` was given. Raises InvalidInput."""
    if text is None:
        return None
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError) as error:
        raise bad_cursor() from error


def bad_cursor() -> InvalidInput:
    problem = Problem("cursor", "is not a cursor of this listing", "pass `next` of the page before")
    return InvalidInput(f"cursor: {problem.message}", hint=problem.hint, problems=[problem])


def _plain(value: object) -> object:
    isoformat = getattr(value, "isoformat", None)
    return isoformat().replace("+00:00", "Z") if isoformat else str(value)
