"""What an engine says while it builds, as lines."""

import re
from collections.abc import Callable

from ao.sandbox.docker.engine import Json

LONGEST_LOG = 4 << 20
"""More of one build is not told."""
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class Said:
    def __init__(self, told: Callable[[str], None]) -> None:
        self._told = told
        self._rest = ""
        self._size = 0
        self.error: str | None = None
        """Why there is no image."""

    def take(self, message: Json) -> None:
        """One message of the engine's: a piece of text, the state of a download, or the error that ended it."""
        if "error" in message:
            self.error = str(message["error"]).strip()
        elif "stream" in message:
            *lines, self._rest = (self._rest + str(message["stream"])).split("\n")
            for line in lines:
                self._line(line)
        elif "status" in message and not message.get("progressDetail"):
            what = f"{message['id']}: " if message.get("id") else ""
            self._line(f"{what}{message['status']}")

    def end(self) -> None:
        self._line(self._rest)

    def _line(self, text: str) -> None:
        line = _COLOURS.sub("", text.rpartition("\r")[2] or text.strip("\r")).rstrip()
        if not line or self._size > LONGEST_LOG:
            return
        self._size += len(line)
        self._told(line if self._size <= LONGEST_LOG else "… the rest of this build is not told")
