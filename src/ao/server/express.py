"""The short way for what is asked most: to create a run, and to look at one.

Through FastAPI a request passes a dozen layers, which take more time than its answer. Here it passes one, to
the same rule of `ao.server.roles`, the same models and the same handler. Only requests that are plainly right
take it. All others go the long way untouched, so that what is wrong with a request is told in one place.
"""

import re
from collections.abc import Iterable

import pydantic_core
from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ao.ids import RunId
from ao.server.operations.runs import WaitQuery
from ao.server.roles import RULES, admit
from ao.server.routes.parameters import RUN_ID
from ao.server.routes.runs import RunRoutes
from ao.store.records import ApiKey
from ao.wire.schemas import RunCreate

PATH = "/v1/runs"
_RUN_PATH = re.compile(f"{PATH}/({RUN_ID})")
_WAIT = re.compile(rb"wait=([0-9]{1,2}(?:\.[0-9]{1,3})?)")
_LONGEST_WAIT = 60.0
_AT_ONCE = WaitQuery()


class Express:
    """ASGI middleware behind the door: a request has its key, and its body is not too large."""

    def __init__(self, app: ASGIApp, runs: RunRoutes, router: APIRouter) -> None:
        """`router` has the operations; the log names a request by its route."""
        self._app = app
        self._runs = runs
        self._routes = {route.name: route for route in router.routes if isinstance(route, APIRoute)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer: Response | None = None
        if scope["type"] == "http" and scope["path"].startswith(PATH):
            if scope["method"] == "POST" and scope["path"] == PATH:
                answer, receive = await self._create(scope, receive)
            elif scope["method"] == "GET" and (run := _RUN_PATH.fullmatch(scope["path"])) is not None:
                answer = await self._get(scope, RunId(run[1]))
        await (answer or self._app)(scope, receive, send)

    async def _create(self, scope: Scope, receive: Receive) -> tuple[Response | None, Receive]:
        """The answer, or None and a `receive` for the long way."""
        query = _query(scope)
        if query is None or not _is_plain(scope["headers"]):
            return None, receive
        if not await self._admit(scope, "create_run"):
            return None, receive
        content, receive = await _content(receive)
        body = _run_create(content)
        if body is None:
            return None, receive
        return await self._runs.create_run(Request(scope), body, query), receive

    async def _get(self, scope: Scope, run_id: RunId) -> Response | None:
        query = _query(scope)
        if query is None or not await self._admit(scope, "get_run"):
            return None
        return await self._runs.get_run(run_id, query)

    async def _admit(self, scope: Scope, operation: str) -> bool:
        """Let the caller in; False for keys of some agents, whose scope the long way looks up."""
        key: ApiKey = scope["ao.key"]
        if key.agents:
            return False
        scope["route"] = self._routes[operation]
        scope["ao.caller"] = await admit(key, RULES[operation], {}, {})
        return True


def _query(scope: Scope) -> WaitQuery | None:
    if not scope["query_string"]:
        return _AT_ONCE
    wait = _WAIT.fullmatch(scope["query_string"])
    if wait is None or float(wait[1]) > _LONGEST_WAIT:
        return None
    return WaitQuery.model_construct(wait=float(wait[1]))


def _is_plain(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether they announce JSON of some length, and nothing else that the operation looks at."""
    types, has_length = [], False
    for name, value in headers:
        if name == b"content-type":
            types.append(value)
        elif name == b"content-length":
            has_length = True
        elif name in (b"idempotency-key", b"transfer-encoding"):
            return False
    return has_length and types == [b"application/json"]


async def _content(receive: Receive) -> tuple[bytes | None, Receive]:
    """The body, None when it did not all come; and a `receive` that has everything still to give."""
    messages: list[Message] = [await receive()]
    while messages[-1].get("more_body", False):
        messages.append(await receive())
    told = iter(messages)

    async def again() -> Message:
        for message in told:
            return message
        return await receive()

    if messages[-1]["type"] != "http.request":
        return None, again
    return b"".join(message.get("body", b"") for message in messages), again


def _run_create(content: bytes | None) -> RunCreate | None:
    """The request, None when it is not right: then the long way says why."""
    if content is None:
        return None
    try:
        document = pydantic_core.from_json(content, allow_inf_nan=False, cache_strings="keys")
        body: RunCreate = RunCreate.__pydantic_validator__.validate_python(document)
    except ValueError:
        return None
    return body
