"""Every refusal leaves as `application/problem+json`."""

from collections.abc import Mapping

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from ao.domain.errors import AoError, InternalError, InvalidInput, NotFound, UsageError
from ao.wire.problems import MEDIA_TYPE, encode, status_of, to_problem

CLIENT_GONE = 499
"""In logs only: the client hung up before its answer."""

_RETRY_AFTER_SECONDS = "1"


def problem_response(
    error: AoError, status: int | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    code = status or status_of(error)
    extra = dict(headers or {})
    if code == 401:
        extra["www-authenticate"] = "Bearer"
    elif code == 429:
        extra["retry-after"] = str(error.details.get("retry_after_seconds", _RETRY_AFTER_SECONDS))
    elif code == 503:
        extra["retry-after"] = _RETRY_AFTER_SECONDS
    return Response(encode(to_problem(error, code)), code, extra, MEDIA_TYPE)


async def on_ao_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, AoError)
    return problem_response(error)


async def on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["allow"] = ", ".join(sorted(request.app.state.methods[request.scope["route"].path_format]))
    return problem_response(http_error(error.status_code, error.detail), error.status_code, headers)


async def on_disconnect(_request: Request, _error: Exception) -> Response:
    return Response(status_code=CLIENT_GONE)


def http_error(status: int, detail: str) -> AoError:
    """The error for a refusal that HTTP itself has a status for."""
    if status == 404:
        return NotFound("there is nothing at this path", hint="GET /v1/openapi.json lists all paths")
    if status == 405:
        return UsageError("this path does not take this method", hint="the Allow header lists those it takes")
    if status == 413:
        return InvalidInput(f"the request body is too large: {detail}", hint="send less")
    if status >= 500:
        return InternalError(detail)
    return UsageError(detail)


def internal_error(request_id: str) -> InternalError:
    return InternalError(
        "a defect of AO stopped this request",
        hint=f"look for request_id {request_id} in the server's log, and please report it",
        details={"request_id": request_id},
    )
