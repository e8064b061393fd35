"""The outermost layer, plain ASGI: who asks, from where, how much; and one log line per request."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ao.control.audit import ORIGIN, Origin
from ao.domain.errors import AoError, Forbidden, InvalidInput
from ao.ids import uuid7
from ao.logs import get_logger
from ao.server.auth import Authenticator
from ao.server.closing import Closing
from ao.server.failures import CLIENT_GONE, internal_error, problem_response
from ao.settings import is_loopback

log = get_logger(__name__)

OPEN_PATHS = frozenset({"/livez", "/readyz"})
"""Of the API, all that answers without a key."""

_TOO_LARGE = "pass a reference, such as a path or URL, in place of the content"

_REQUEST_ID = re.compile(rb"^[0-9A-Za-z_.-]{1,64}$")


@dataclass(frozen=True, slots=True)
class Rules:
    local_only: bool
    """The server listens on loopback: other names in Host mean that a web page rebinds DNS."""
    body_limit: Callable[[str, str], int]
    """Largest body in bytes for (method, path)."""
    site: str = ""
    """Path of the pages for people, which know their visitors by a cookie; empty when there are none."""

    def needs_key(self, path: str) -> bool:
        if path in OPEN_PATHS:
            return False
        return not self.site or not (path in ("/", self.site) or path.startswith(f"{self.site}/"))


class Door:
    def __init__(self, app: ASGIApp, authenticator: Authenticator, rules: Rules, closing: Closing) -> None:
        self._app = app
        self._authenticator = authenticator
        self._rules = rules
        self._closing = closing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        visit = _Visit(scope, send, self._closing)
        structlog.contextvars.bind_contextvars(request_id=visit.request_id)
        source = scope["client"][0] if scope["client"] else ""
        try:
            await self._admit(scope, visit)
            key = scope.get("ao.key")
            ORIGIN.set(Origin(source, visit.request_id, key.id if key else ""))
            await self._app(scope, self._limited(scope, visit, receive), visit.send)
        except AoError as error:
            await problem_response(error, visit.refusal_status)(scope, receive, visit.send)
        except Exception:
            log.exception("request failed", method=scope["method"], route=visit.route)
            if visit.status == 0:
                await problem_response(internal_error(visit.request_id))(scope, receive, visit.send)
            else:
                raise  # half an answer went out: the connection must break, not look complete
        finally:
            visit.log()

    async def _admit(self, scope: Scope, visit: "_Visit") -> None:
        headers = visit.headers
        host = headers.get(b"host", b"")
        # Health checks of load balancers may be HTTP/1.0 and name no host; a browser always names one.
        if self._rules.local_only and (host or scope["path"] not in OPEN_PATHS):
            _check_host(host)
        _check_origin(headers.get(b"origin"), host)
        if self._rules.needs_key(scope["path"]):
            scope["ao.key"] = await self._authenticator.key(headers.get(b"authorization"))

    def _limited(self, scope: Scope, visit: "_Visit", receive: Receive) -> Receive:
        """`receive` that refuses a body above the limit, announced or not.

        The connection stays: closing it with data unread would reset it and lose the answer. What still
        comes is thrown away as it does.
        """
        length = visit.headers.get(b"content-length")
        if length is None and b"transfer-encoding" not in visit.headers:
            return receive
        limit = self._rules.body_limit(scope["method"], scope["path"])
        detail = f"at most {limit:,} bytes are taken here"
        if length is not None:
            if length.isdigit() and int(length) <= limit:
                return receive
            visit.refusal_status = 413
            raise InvalidInput(f"the request body is too large: {detail}", hint=_TOO_LARGE)
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > limit:
                raise HTTPException(413, detail)
            return message

        return counted


class _Visit:
    """What is known of one request; passes the answer on and notes its status."""

    __slots__ = ("_closing", "_scope", "_send", "_started", "headers", "refusal_status", "request_id", "status")

    def __init__(self, scope: Scope, send: Send, closing: Closing) -> None:
        self._scope = scope
        self._send = send
        self._closing = closing
        self._started = time.perf_counter()
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.status = 0
        self.refusal_status: int | None = None
        self.request_id = request_id_of(self.headers.get(b"x-request-id", b""))

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = message.setdefault("headers", [])
            headers.append((b"x-request-id", self.request_id.encode()))
            if self._closing.leaving:
                headers.append((b"connection", b"close"))  # the next request goes to another server
        await self._send(message)

    @property
    def route(self) -> str:
        """The route's template, so that logs group by it; `-` for a path that does not exist."""
        return getattr(self._scope.get("route"), "path_format", "-")

    def log(self) -> None:
        key = self._scope.get("ao.key")
        write = log.debug if self._scope["path"] in OPEN_PATHS else log.info
        write(
            "request",
            method=self._scope["method"],
            route=self.route,
            status=self.status or CLIENT_GONE,
            duration_ms=round((time.perf_counter() - self._started) * 1000, 2),
            key=key.name if key else None,
        )


def request_id_of(given: bytes) -> str:
    """The id that the client gave, or a new one."""
    return given.decode() if _REQUEST_ID.match(given) else uuid7()


def _check_host(host: bytes) -> None:
    name = host.decode("latin-1")
    hostname = name.partition("]")[0].lstrip("[") if name.startswith("[") else name.partition(":")[0]
    if not is_loopback(hostname):
        raise Forbidden(
            f"this server does not answer to the name {hostname!r}",
            hint="it listens on this machine only: call it 127.0.0.1 or localhost",
        )


def _check_origin(origin: bytes | None, host: bytes) -> None:
    if origin is not None and origin.partition(b"://")[2] != host:
        raise Forbidden(
            "requests from web pages of other origins are refused", hint="call the API from a program"
        )
