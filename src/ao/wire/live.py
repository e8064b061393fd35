"""Bodies of the operations that keep their connection until a run has ended."""

from typing import Literal

from pydantic import Field

from ao.domain.run import RunState
from ao.wire.schemas import Response, RunCreate

Disconnect = Literal["continue", "cancel"]


class RunLive(RunCreate):
    on_disconnect: Disconnect = Field(
        "continue", description="What becomes of the run when this connection is lost before its end."
    )


class StreamEnd(Response):
    """The data of the last event of a stream."""

    run_id: str
    state: RunState
