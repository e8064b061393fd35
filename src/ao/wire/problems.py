"""Errors on the wire: one table from class to HTTP and gRPC status; `application/problem+json` (RFC 9457) both
ways.

Light on purpose (no pydantic): the client and the CLI import it at every start.
"""

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple, cast

from ao.domain import errors as e

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:ao:problem:"


class Status(NamedTuple):
    http: int
    grpc: str
    """Name of the gRPC status code."""


STATUS: Mapping[type[e.AoError], Status] = {
    e.UsageError: Status(400, "INVALID_ARGUMENT"),
    e.InvalidInput: Status(422, "INVALID_ARGUMENT"),
    e.InvalidConfig: Status(422, "INVALID_ARGUMENT"),
    e.UploadRefused: Status(422, "INVALID_ARGUMENT"),
    e.NotFound: Status(404, "NOT_FOUND"),
    e.Conflict: Status(409, "FAILED_PRECONDITION"),
    e.IdempotencyConflict: Status(409, "ALREADY_EXISTS"),
    e.AlreadyAnswered: Status(409, "FAILED_PRECONDITION"),
    e.SessionBusy: Status(409, "FAILED_PRECONDITION"),
    e.StaleWrite: Status(409, "ABORTED"),
    e.HomeInUse: Status(409, "FAILED_PRECONDITION"),
    e.Unauthenticated: Status(401, "UNAUTHENTICATED"),
    e.Forbidden: Status(403, "PERMISSION_DENIED"),
    e.RunFailed: Status(409, "FAILED_PRECONDITION"),
    e.BuildFailed: Status(422, "FAILED_PRECONDITION"),
    e.ServerUnreachable: Status(502, "UNAVAILABLE"),
    e.WaitTimeout: Status(504, "DEADLINE_EXCEEDED"),
    e.Unavailable: Status(503, "UNAVAILABLE"),
    e.StorageFull: Status(507, "RESOURCE_EXHAUSTED"),
    e.StorageClosed: Status(503, "UNAVAILABLE"),
    e.QueueFull: Status(429, "RESOURCE_EXHAUSTED"),
    e.DatabaseDamaged: Status(500, "DATA_LOSS"),
    e.SchemaTooNew: Status(500, "INTERNAL"),
    e.SchemaTooOld: Status(500, "INTERNAL"),
    e.SandboxError: Status(500, "INTERNAL"),
    e.InternalError: Status(500, "INTERNAL"),
    e.AoError: Status(500, "UNKNOWN"),
}
"""Every class has its own row: a subclass is not covered by its parent."""

_BY_CODE: Mapping[str, type[e.AoError]] = {cls.code: cls for cls in STATUS}

_BY_STATUS: Mapping[int, type[e.AoError]] = {
    400: e.UsageError,
    401: e.Unauthenticated,
    403: e.Forbidden,
    404: e.NotFound,
    409: e.Conflict,
    413: e.InvalidInput,
    422: e.InvalidInput,
    429: e.QueueFull,
    502: e.Unavailable,
    503: e.Unavailable,
    504: e.Unavailable,
}


def status_of(error: e.AoError) -> int:
    return STATUS[type(error)].http


def to_problem(error: e.AoError, status: int | None = None) -> dict[str, object]:
    """The problem document of an error; `status` where HTTP has a finer one, such as 405."""
    return {
        "type": TYPE_PREFIX + error.code,
        "title": _title(type(error)),
        "status": status or status_of(error),
        "detail": error.message,
        "code": error.code,
        "hint": error.hint,
        "details": error.details,
        "problems": [
            {"field": p.field, "message": p.message, "hint": p.hint, "line": p.line} for p in error.problems
        ],
    }


def encode(problem: Mapping[str, object]) -> bytes:
    """JSON bytes. What is not JSON in `details` becomes text: reporting an error must not fail."""
    return json.dumps(problem, default=str, separators=(",", ":")).encode()


def from_response(status: int, content_type: str, body: bytes) -> e.AoError:
    """The error that a response with a status of 400 and above stands for.

    Responses that are not problem documents (a proxy's page, say) become the class of their status.
    """
    document = _parse(content_type, body)
    if document is None:
        kind = _BY_STATUS.get(status, e.InternalError if status >= 500 else e.UsageError)
        return kind(
            f"the server answered {status} without saying why",
            hint="is the URL that of an AO server? a proxy in between may have answered",
            details={"status": status},
        )
    kind = _BY_CODE.get(str(document.get("code")), _BY_STATUS.get(status, e.AoError))
    details = document.get("details")
    problems = document.get("problems")
    return kind(
        str(document.get("detail") or document.get("title") or ""),
        hint=str(document.get("hint") or ""),
        details=cast("Mapping[str, object]", details) if isinstance(details, dict) else None,
        problems=[_problem(p) for p in cast("Sequence[object]", problems)]
        if isinstance(problems, list)
        else (),
    )


def _parse(content_type: str, body: bytes) -> dict[str, object] | None:
    if content_type.partition(";")[0].strip().lower() != MEDIA_TYPE:
        return None
    try:
        document = json.loads(body)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _problem(entry: object) -> e.Problem:
    fields = entry if isinstance(entry, dict) else {}
    line = fields.get("line")
    return e.Problem(
        field=str(fields.get("field") or ""),
        message=str(fields.get("message") or ""),
        hint=str(fields.get("hint") or ""),
        line=line if isinstance(line, int) else None,
    )


def _title(kind: type[e.AoError]) -> str:
    return (kind.__doc__ or "").strip().splitlines()[0]
