"""One kind of route for all: role, media type, strict JSON, unknown names refused with a suggestion."""

import json
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

import pydantic_core
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel

from ao.domain.errors import Problem, UsageError
from ao.server.failures import problem_response
from ao.server.invalid import invalid, problem_of
from ao.server.roles import RULES, Rule, admit

Handler = Callable[[Request], Coroutine[Any, Any, Response]]

_JSON = b"application/json"


class Route(APIRoute):
    """Its operation id is its handler's name, and has a row in `ao.server.roles.RULES`."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()
        operation = self.operation_id or self.name
        if operation not in RULES:
            raise LookupError(f"{operation} has no row in ao.server.roles.RULES")
        rule = RULES[operation]
        takes_json = self.body_field is not None
        takes_query = bool(self.dependant.query_params)
        names = _known_names(self)

        async def handler(request: Request) -> Response:
            await _admit(request, rule)
            if takes_json and not _is_json(request):
                return problem_response(_NOT_JSON, 415)
            if not takes_query and request.scope["query_string"]:
                raise invalid(_unknown_query(request))
            try:
                return await handle(_StrictRequest(request.scope, request.receive))
            except RequestValidationError as error:
                raise invalid([_problem(entry, names) for entry in error.errors()]) from error

        return handler


async def _admit(request: Request, rule: Rule) -> None:
    has_query = bool(request.scope["query_string"])
    named = {**request.query_params, **request.path_params} if has_query else request.path_params
    request.scope["ao.caller"] = await admit(request.scope["ao.key"], rule, named, request.app.state.agent_of)


_NOT_JSON = UsageError("the request body is not declared as JSON", hint="send `Content-Type: application/json`")


class _StrictRequest(Request):
    """Bodies are JSON as RFC 8259 has it: no NaN, no lone surrogates."""

    async def json(self) -> Any:
        try:
            return pydantic_core.from_json(await self.body(), allow_inf_nan=False, cache_strings="keys")
        except ValueError as error:
            raise json.JSONDecodeError(str(error), "", 0) from error


def _is_json(request: Request) -> bool:
    for name, value in request.scope["headers"]:
        if name == b"content-type":
            return bool(value.partition(b";")[0].strip().lower() == _JSON)
    return False


def _known_names(route: APIRoute) -> Mapping[str, Iterable[str]]:
    """Names that a request may use, by the place they stand in."""
    known: dict[str, list[str]] = {"body": [], "query": []}
    fields = [("query", field) for field in route.dependant.query_params]
    if route.body_field is not None:
        fields.append(("body", route.body_field))
    for place, field in fields:
        model = field.field_info.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            known[place] += [info.alias or name for name, info in model.model_fields.items()]
        else:
            known[place].append(field.alias)
    return known


def _problem(entry: Mapping[str, Any], names: Mapping[str, Iterable[str]]) -> Problem:
    place, *path = entry["loc"]
    what = "query parameter" if place == "query" else "field"
    return problem_of(entry, path, names.get(str(place), ()), what)


def _unknown_query(request: Request) -> list[Problem]:
    names = parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)
    return [Problem(name, "unknown query parameter", "this operation takes none") for name, _ in names] or [
        Problem("", "this operation takes no query parameters")
    ]
