"""What an attempt says: lines, partial results, and the log of what is built for it, up to a limit."""

from collections.abc import Awaitable, Callable

from ao.clock import Clock
from ao.domain.event import EventKind
from ao.worker.classify import storable
from ao.worker.lines import LineSplitter
from ao.worker.recorder import Recorder
from ao.worker.redact import NOTHING

Read = Callable[[], Awaitable[bytes]]


class Output:
    def __init__(self, recorder: Recorder, clock: Clock) -> None:
        self._recorder = recorder
        self._clock = clock
        self.redact = NOTHING
        self.left = 0
        """So many bytes may follow."""
        self._dropped = 0

    def say(self, line: str) -> None:
        """A line of AO's own, before the agent has a word; it counts for nothing."""
        self._recorder.lines("stderr", [[self._clock.now_us(), self.redact(line)]])

    def partial(self, value: object) -> None:
        """Record a partial output; it counts as output."""
        value, text = storable(self.redact.value(value))
        size = len(text)
        if size > self.left:
            self._dropped += size
            return
        self.left -= size
        self._recorder.event(EventKind.OUTPUT, self._clock.now_us(), {"value": value}, size=size)

    async def pump(self, stream: str, read: Read) -> None:
        """Record all that a stream of the sandbox says, line by line."""
        splitter = LineSplitter(self.redact)
        while data := await read():
            kept = data[: self.left]
            self.left -= len(kept)
            self._dropped += len(data) - len(kept)
            if lines := splitter.feed(kept, self._clock.now_us()):
                self._recorder.lines(stream, lines)
            await self._recorder.room()
        if lines := splitter.flush(self._clock.now_us(), cut=self.left == 0):
            self._recorder.lines(stream, lines)

    async def rest(self, read_stdout: Read, read_stderr: Read) -> None:
        """Record what is in the pipes of a sandbox that writes nothing more."""
        await self.pump("stdout", read_stdout)
        await self.pump("stderr", read_stderr)

    def say_what_was_dropped(self) -> None:
        if self._dropped:
            text = f"… {self._dropped:,} bytes of output dropped: more than `[resources] output` allows"
            self._recorder.lines("stderr", [[self._clock.now_us(), text, "dropped"]])
