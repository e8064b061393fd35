"""Questions to the worker and its answers, from any thread or task of the agent's process."""

from __future__ import annotations

import _thread
import contextlib
import os
import sys

from ao_runner import protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from typing import Any, Awaitable, Callable

    from ao_runner.task import Fields, Task


class Channel:
    """A thread of its own reads the answers, started with the first question."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._pid = os.getpid()
        self._lock = _thread.allocate_lock()
        self._waiting: dict[int, Callable[[Fields], None]] = {}
        self._asked = 0
        self._closed = False

    def tell(self, message: Fields) -> None:
        """Send what needs no answer."""
        self._check_process()
        try:
            self._task.send(message)
        except OSError:
            self._leave()

    def call(self, message: Fields) -> Fields:
        """Send a question and wait for its answer."""
        return self.ask(message)()

    def ask(self, message: Fields) -> Callable[[], Fields]:
        """Send a question; what is returned waits for its answer."""
        arrived = _thread.allocate_lock()
        arrived.acquire()
        answers: list[Fields] = []

        def take(answer: Fields) -> None:
            answers.append(answer)
            arrived.release()

        def wait() -> Fields:
            arrived.acquire()
            return answers[0]

        self._ask(message, take)
        return wait

    async def call_async(self, message: Fields) -> Fields:
        """The same without holding up the event loop."""
        return await self.ask_async(message)

    def ask_async(self, message: Fields) -> Awaitable[Fields]:
        """Send a question; what is returned is its answer."""
        loop = running_loop()
        if loop is None:
            return _answer_of(self.ask(message))
        future: asyncio.Future[Fields] = loop.create_future()

        def resolve(answer: Fields) -> None:
            if not future.done():
                future.set_result(answer)

        def take(answer: Fields) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits for it any more
                loop.call_soon_threadsafe(resolve, answer)

        self._ask(message, take)
        return future

    def _ask(self, message: Fields, take: Callable[[Fields], None]) -> None:
        self._check_process()
        with self._lock:
            if self._closed:
                self._leave()
            self._asked += 1
            number = self._asked
            self._waiting[number] = take
            if number == 1:
                _thread.start_new_thread(self._read, ())
        self.tell({**message, "id": number})

    def _read(self) -> None:
        while True:
            try:
                answer = protocol.receive(self._task.socket)
            except (OSError, protocol.ProtocolError):
                answer = None
            with self._lock:
                if answer is None:
                    self._closed = True
                    if self._waiting:
                        self._leave()
                    return
                take = self._waiting.pop(answer.get("id"), None)  # type: ignore[call-overload]
            if take is not None:
                take(answer)

    def _check_process(self) -> None:
        if os.getpid() != self._pid:
            raise RuntimeError("steps belong to the agent's own process, and this is a fork of it")

    def _leave(self) -> None:
        """The worker is gone: nothing that happens from here on could be recorded."""
        os._exit(1)


async def _answer_of(wait: Callable[[], Fields]) -> Fields:
    return wait()


def running_loop() -> Any:
    """The event loop that runs in this thread, if any; without importing asyncio for those that have none."""
    asyncio = sys.modules.get("asyncio")
    return asyncio._get_running_loop() if asyncio is not None else None
