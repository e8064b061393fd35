"""Requests that name in one message what REST has in path, query and body."""

from collections.abc import Sequence
from typing import Annotated, TypeVar

from pydantic import BaseModel, Field

from ao.domain.errors import Problem
from ao.wire.refusals import invalid
from ao.wire.schemas import AGENT_NAME, MAX_VERSION, Request

R = TypeVar("R", bound=BaseModel)

RUN_ID = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"


class OfRun(Request):
    run_id: str = Field(pattern=RUN_ID)


class OfAgent(Request):
    agent: str = Field(pattern=AGENT_NAME)


class Nothing(Request):
    """A request without fields."""


Version = Annotated[int, Field(ge=1, le=MAX_VERSION)]


def part(asked: BaseModel, model: type[R], clear: Sequence[str] = ()) -> R:
    """What a request says of another model's fields. A field cannot be null here: `clear` names those that are.

    Raises InvalidInput for one that has a value, too.
    """
    said = {name: getattr(asked, name) for name in asked.model_fields_set & set(model.model_fields)}
    hint = "set it or clear it"
    if both := [Problem("clear", f"{name} has a value, too", hint) for name in clear if name in said]:
        raise invalid(both)
    return model.model_construct(**said, **dict.fromkeys(clear))
