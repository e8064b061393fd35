"""Requests that name in one message what REST has in path, query and body."""

from typing import Annotated

from pydantic import Field

from ao.wire.schemas import AGENT_NAME, MAX_VERSION, Request

RUN_ID = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"


class OfRun(Request):
    run_id: str = Field(pattern=RUN_ID)


class OfAgent(Request):
    agent: str = Field(pattern=AGENT_NAME)


class Nothing(Request):
    """A request without fields."""


Version = Annotated[int, Field(ge=1, le=MAX_VERSION)]
