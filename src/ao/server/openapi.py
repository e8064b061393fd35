"""The OpenAPI document: FastAPI's, with the key, the refusals and the streams that it does not know of."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from ao.wire.problems import MEDIA_TYPE
from ao.wire.schemas import ProblemView

_REF = "#/components/schemas/ProblemView"
_REFUSALS = {
    "400": "The request makes no sense as given.",
    "401": "No API key, or one that is not valid here.",
    "403": "The key's role may not do this, or the request comes from a web page.",
    "422": "Something in the request is not valid; `problems` has one entry per field.",
    "500": "A defect of AO.",
    "503": "Not ready, overloaded or shutting down: try again.",
}
_WITH_PATH = {"404": "There is no such thing."}
_WITH_BODY = {
    "409": "The present state forbids this, or the idempotency key was used for another request.",
    "413": "The body is too large.",
    "429": "Too many runs are waiting: try again after `Retry-After`.",
    "415": "The body is not of the right media type.",
    "507": "The disk is full; nothing that was accepted is lost.",
}


def complete(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """The `openapi` method of an app; the document is made at the first call."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    return openapi


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    problem = ProblemView.model_json_schema(mode="serialization", ref_template="#/components/schemas/{model}")
    schemas |= {**problem.pop("$defs", {}), "ProblemView": problem}
    components["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "An API key, `ao_…`."}
    }
    document["security"] = [{"key": []}]
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if operation.get("security") != []:
                _add_refusals(path, method, operation)
    return document


def _add_refusals(path: str, method: str, operation: dict[str, Any]) -> None:
    refusals = dict(_REFUSALS)
    if "{" in path or "requestBody" in operation:
        refusals |= _WITH_PATH
    if method != "get" or "diff" in path:
        refusals |= _WITH_BODY
    responses = operation["responses"]
    for status, description in refusals.items():
        content = {MEDIA_TYPE: {"schema": {"$ref": _REF}}}
        responses[status] = {"description": description, "content": content}
