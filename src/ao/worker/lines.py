"""From raw output bytes to lines with time and stream, whatever the bytes are."""

from dataclasses import dataclass, field

from ao.worker.redact import NOTHING, Redactor

MAX_LINE_BYTES = 256 * 1024
"""A longer line is cut, and says by how much."""

Line = list[object]
"""[at_us, text] or [at_us, text, mark]; see `EventKind.LOG`."""


@dataclass(slots=True)
class LineSplitter:
    """Splits one stream and redacts it. Invalid UTF-8 becomes U+FFFD; a line that is too long keeps its
    beginning."""

    _redact: Redactor = NOTHING
    _pending: bytearray = field(default_factory=bytearray)
    _overflow: int = 0
    """Bytes of the present line that were let go."""

    def feed(self, data: bytes, at_us: int) -> list[Line]:
        """The lines that `data` completes."""
        lines: list[Line] = []
        *complete, rest = data.split(b"\n")
        for part in complete:
            self._take(part)
            lines.append(self._finish(at_us, newline=True))
        self._take(rest)
        return lines

    def flush(self, at_us: int, *, cut: bool = False) -> list[Line]:
        """What is there without a newline, as a line marked `partial`; nothing if there is nothing. `cut`:
        more came that was not kept."""
        if not self._pending and not self._overflow:
            return []
        return [self._finish(at_us, newline=False, cut=cut)]

    def _take(self, part: bytes) -> None:
        room = MAX_LINE_BYTES - len(self._pending)
        self._pending += part[:room]
        self._overflow += max(0, len(part) - room)

    def _finish(self, at_us: int, *, newline: bool, cut: bool = False) -> Line:
        text = bytes(self._pending).removesuffix(b"\r").decode("utf-8", "replace")
        overflow = self._overflow
        text = self._redact.beginning(text) if overflow or cut else self._redact(text)
        self._pending.clear()
        self._overflow = 0
        if overflow:
            return [at_us, f"{text} … [{overflow:,} bytes cut]", "cut"]
        return [at_us, text] if newline else [at_us, text, "partial"]
