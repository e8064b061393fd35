"""Log lines out of `log` events."""

from collections.abc import Mapping, Sequence
from typing import cast

from ao.clock import to_datetime
from ao.wire.schemas import LogLine


def log_lines(seq: int, data: Mapping[str, object]) -> list[LogLine]:
    """The lines of one event: `data` as `ao.domain.event.EventKind.LOG` describes it."""
    return [
        LogLine.model_validate(
            {
                "seq": seq,
                "index": index,
                "at": to_datetime(cast("int", line[0])),
                "attempt": data["attempt"],
                "stream": data["stream"],
                "text": line[1],
                "mark": line[2] if len(line) > 2 else None,
            }
        )
        for index, line in enumerate(cast("Sequence[Sequence[object]]", data["lines"]))
    ]
