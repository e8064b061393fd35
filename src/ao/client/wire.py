"""Requests and answers as values; no I/O."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, NoReturn, TypeVar
from urllib.parse import urlencode, urlsplit

from ao.client.target import Target
from ao.domain.errors import AoError, ServerUnreachable
from ao.wire.problems import MEDIA_TYPE as PROBLEM_TYPE
from ao.wire.problems import from_response

T = TypeVar("T")

ANSWER_SECONDS = 30.0
"""How long the server may take to answer, on top of a long poll's own time."""
STREAM_SILENCE_SECONDS = 30.0
"""An event stream has a heartbeat every ten seconds at the latest; longer silence is a lost connection."""

NO_CONTENT = 204
_NO_SERVER = frozenset({502, 503, 504})

Query = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One operation: what to send, and how to read the answer."""

    method: str
    path: str
    parse: Callable[[bytes], T]
    query: Query = field(default_factory=dict)
    body: object = None
    """JSON value; None sends no body."""
    repeatable: bool = True
    """Sending it twice has the effect of sending it once."""
    media_type: str = "application/json"
    """Of the answer."""
    patience_seconds: float = 0.0
    """How long the server was asked to wait before it answers."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a driver sends."""

    method: str
    path: str
    """With query."""
    headers: Mapping[str, str]
    body: bytes | None
    timeout_seconds: float


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    content_type: str
    body: bytes


class LostConnection(Exception):
    """A driver could not deliver a request or did not get its whole answer; the cause is chained."""

    def __init__(self, reason: str, *, refused: bool) -> None:
        super().__init__(reason)
        self.refused = refused
        """Nothing was sent: no server listens."""


def request(call: Call[Any], target: Target, accept: str | None = None) -> Request:
    headers = _headers(target, accept or call.media_type)
    body = None
    if call.body is not None:
        body = json.dumps(call.body, separators=(",", ":"), allow_nan=False).encode()
        headers["content-type"] = "application/json"
    seconds = call.patience_seconds + ANSWER_SECONDS
    return Request(call.method, path(target, call.path, call.query), headers, body, seconds)


def path(target: Target, path: str, query: Query) -> str:
    base = urlsplit(target.url).path.rstrip("/")
    pairs = [(name, _text(value)) for name, value in query.items() if value is not None and value != []]
    return base + path + ("?" + urlencode(pairs, doseq=True) if pairs else "")


def read(call: Call[T], answer: Answer) -> T:
    """The answer's value. Raises the error that the server reported."""
    if answer.status >= 400:
        raise from_response(answer.status, answer.content_type, answer.body)
    if answer.status == NO_CONTENT:
        return call.parse(b"")
    if answer.content_type.partition(";")[0].strip() != call.media_type:
        given = answer.content_type or "without a type"
        raise AoError(
            f"the answer to {call.method} {call.path} is {given}, not {call.media_type}",
            hint="is the URL that of an AO server?",
        )
    return call.parse(answer.body)


def check_proxy(answer: Answer) -> Answer:
    """Raises LostConnection where a proxy answers in place of a server."""
    if answer.status in _NO_SERVER and not answer.content_type.startswith(PROBLEM_TYPE):
        raise LostConnection(f"a proxy answers with {answer.status}", refused=False)
    return answer


def as_json(call: Call[Any]) -> Call[Any]:
    """The same call, read as plain JSON values."""
    return replace(call, parse=json.loads)


def unreachable(target: Target, reason: str) -> ServerUnreachable:
    if "WRONG_VERSION_NUMBER" in reason:  # what a server that speaks no TLS looks like to OpenSSL
        return ServerUnreachable(
            f"what answers at {target.url} (from {target.origin}) speaks no TLS",
            hint="write http:// for https://",
        )
    return ServerUnreachable(
        f"no AO server answers at {target.url} (from {target.origin}): {reason}",
        hint="start one with `ao up`" if target.local else "check the URL, and that the server is up",
        details={"url": target.url, "origin": target.origin},
    )


def raise_unreachable(target: Target, lost: LostConnection) -> NoReturn:
    raise unreachable(target, str(lost)) from lost


def _headers(target: Target, accept: str) -> dict[str, str]:
    headers = {"accept": accept, "user-agent": "ao-client"}
    if target.api_key:
        headers["authorization"] = f"Bearer {target.api_key}"
    return headers


def _text(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value
