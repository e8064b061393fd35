"""One kind of route for all: role, media type, strict JSON, unknown names refused with a suggestion."""

import json
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, get_origin
from urllib.parse import parse_qsl

import pydantic_core
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic_core import ErrorDetails

from ao.domain.errors import Problem, UsageError
from ao.server.failures import problem_response
from ao.server.roles import RULES, Rule, admit
from ao.wire.refusals import invalid, refusal

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
        models = _models(self)
        lists = _lists(models.get("query"))

        async def handler(request: Request) -> Response:
            await _admit(request, rule)
            if takes_json and not _is_json(request):
                return problem_response(_NOT_JSON, 415)
            if not takes_query and request.scope["query_string"]:
                raise invalid(_unknown_query(request))
            if b"&" in request.scope["query_string"] and (twice := _twice(request, lists)):
                raise invalid(twice)
            try:
                return await handle(_StrictRequest(request.scope, request.receive))
            except RequestValidationError as error:
                raise invalid([_problem(entry, models, error.body) for entry in error.errors()]) from error

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


def _models(route: APIRoute) -> Mapping[str, type[BaseModel] | None]:
    """What a request may say, by the place where it says it."""
    fields = [("query", field) for field in route.dependant.query_params]
    if route.body_field is not None:
        fields.append(("body", route.body_field))
    models = {place: field.field_info.annotation for place, field in fields}
    return {
        place: model if isinstance(model, type) and issubclass(model, BaseModel) else None
        for place, model in models.items()
    }


def _lists(model: type[BaseModel] | None) -> frozenset[str]:
    """The query parameters that may be given several times."""
    fields = model.model_fields if model is not None else {}
    return frozenset(name for name, field in fields.items() if get_origin(field.annotation) is list)


def _problem(entry: ErrorDetails, models: Mapping[str, type[BaseModel] | None], body: object) -> Problem:
    place, *path = entry["loc"]
    if entry["type"] == "json_invalid":
        return Problem("", f"the request body is not JSON: {entry['ctx']['error']}")
    what = "query parameter" if place == "query" else "field"
    return refusal(entry, path, models.get(str(place)), body if place == "body" else None, what)


def _twice(request: Request, lists: frozenset[str]) -> list[Problem]:
    """Only one of several values would count, and the others would be dropped without a word."""
    count = Counter(name for name, _ in request.query_params.multi_items())
    return [
        Problem(name, "is given more than once", "send it once")
        for name in count
        if count[name] > 1 and name not in lists
    ]


def _unknown_query(request: Request) -> list[Problem]:
    names = parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)
    return [Problem(name, "unknown query parameter", "this operation takes none") for name, _ in names] or [
        Problem("", "this operation takes no query parameters")
    ]
