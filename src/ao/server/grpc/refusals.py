"""Errors as gRPC sends them: a status code and a `google.rpc.Status` whose details say the rest."""

from typing import Any

import grpc
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status

from ao.domain.errors import AoError, QueueFull, Unavailable
from ao.v1.problem_pb2 import FieldProblem, Problem
from ao.wire.problems import STATUS, encode

DETAILS = "grpc-status-details-bin"
MAX_BYTES = 4096
"""Of all details together: clients take metadata of 8 KiB, in base64, and drop the answer when it is more."""
MAX_MESSAGE = 500
"""Characters of a status message, which travels with up to nine bytes for each."""

RETRY_SECONDS = 1
"""When to try again, where the error does not say."""


def code_of(error: AoError) -> grpc.StatusCode:
    return grpc.StatusCode[STATUS[type(error)].grpc]


def status_of(error: AoError, request_id: str) -> Status:
    """The whole of an error, cut to what fits into metadata."""
    kept = len(error.problems)
    text = error.message[:MAX_MESSAGE]
    while True:
        status = Status(code=code_of(error).value[0], message=_text(text))
        for detail in _details(error, request_id, kept):
            status.details.add().Pack(detail)
        if status.ByteSize() <= MAX_BYTES or not kept:
            return status
        kept //= 2


def _details(error: AoError, request_id: str, kept: int) -> list[Message]:
    entries = [
        FieldProblem(
            field=_text(found.field[:MAX_MESSAGE]),
            message=_text(found.message[:MAX_MESSAGE]),
            hint=_text(found.hint[:MAX_MESSAGE]),
            line=found.line,
        )
        for found in error.problems[:kept]
    ]
    details = encode(error.details).decode()
    problem = Problem(
        code=error.code,
        detail=_text(error.message[:MAX_MESSAGE]),
        hint=_text(error.hint[:MAX_MESSAGE]),
        details_json=details if len(details) <= MAX_MESSAGE else "{}",
        problems=entries,
        left_off=len(error.problems) - kept,
        request_id=request_id,
    )
    found: list[Message] = [problem]
    if entries:
        violations = [BadRequest.FieldViolation(field=e.field, description=e.message) for e in entries]
        found.append(BadRequest(field_violations=violations))
    if isinstance(error, Unavailable):
        found.append(_retry(error))
    return found


def _retry(error: AoError) -> RetryInfo:
    again = RetryInfo()
    asked: Any = error.details.get("retry_after_seconds") if isinstance(error, QueueFull) else None
    again.retry_delay.FromSeconds(int(asked or RETRY_SECONDS))
    return again


def _text(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
