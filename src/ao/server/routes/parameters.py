"""Path and query parameters that several operations share."""

from typing import Annotated

from fastapi import Path
from pydantic import Field

from ao.wire.schemas import AGENT_NAME, MAX_VERSION, Request

AgentName = Annotated[str, Path(pattern=AGENT_NAME, description="The agent's name.", examples=["support"])]
AgentFilter = Annotated[str | None, Field(pattern=AGENT_NAME, description="Only this agent's.")]
RUN_ID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
RunIdText = Annotated[
    str,
    Path(
        pattern=f"^{RUN_ID}$",
        description="The run's id.",
        examples=["01936f2e-9c4b-7d3a-8f00-0123456789ab"],
    ),
]
Version = Annotated[int, Path(ge=1, le=MAX_VERSION, description="The deployment's number.", examples=[3])]

Limit = Annotated[int, Field(ge=1, le=1000, description="Most items of one page.")]
Cursor = Annotated[str | None, Field(max_length=200, description="`next` of the page before.")]
After = Annotated[int, Field(ge=0, le=2**53 - 1, description="Only what has a seq above this.")]
Wait = Annotated[
    float, Field(ge=0, le=60, description="Seconds to wait for the run's end before answering; at most 60.")
]


class PageQuery(Request):
    limit: Limit = 50
    cursor: Cursor = None
