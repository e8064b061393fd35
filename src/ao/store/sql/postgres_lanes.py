"""Connections to Postgres and what carries out jobs on them: greenlets of the event loop, or threads.

A job is a synchronous function of a session and of how to wait for it. In a greenlet, waiting is going back to
the loop, which comes again when the connection is readable: nobody takes Python's lock from anybody.
"""

import asyncio
import functools
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol, TypeVar

from greenlet import GreenletExit, greenlet

from ao.store.sql.postgres_session import (
    Patience,
    Session,
    is_ready,
    open_session,
    silent,
    wait_in_thread,
)

T = TypeVar("T")

CLOSING_SECONDS = 10.0
"""So long, at most, a read may go on when the store is closed."""


class Carrier(Protocol):
    """Where a job runs."""

    def session(self) -> Session:
        """Its session; a new one when the last is broken."""
        ...

    def wait(self, session: Session, write: bool) -> None:
        """See `Wait`."""
        ...

    def sleep(self, seconds: float) -> None: ...


Job = Callable[[Carrier], Any]


class _Given(NamedTuple):
    job: Job
    future: "asyncio.Future[Any]"


class LoopLane:
    """So many sessions, opened when they are needed, of the event loop that the first job comes from."""

    def __init__(self, url: str, name: str, size: int, patience: Patience) -> None:
        self.url = url
        self.patience = patience
        self.threads = ThreadPoolExecutor(size, f"ao-store-{name}")
        """For opening sessions."""
        self._size = size
        self._idle: list[_Greenlet] = []
        self._all: list[_Greenlet] = []
        self._jobs: deque[_Given] = deque()
        self._at_rest = asyncio.Event()
        self._at_rest.set()

    async def run(self, job: Callable[[Carrier], T]) -> T:
        """Carried out to its end, also when the caller is cancelled."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._jobs.append(_Given(job, future))
        self._at_rest.clear()
        if self._idle:
            self._idle.pop().go_on()
        elif len(self._all) < self._size:
            carrier = _Greenlet(self)
            self._all.append(carrier)
            carrier.go_on()
        return await future

    def next(self, carrier: "_Greenlet") -> _Given:
        """The next job; `carrier` waits until there is one."""
        while not self._jobs:
            self._idle.append(carrier)
            if len(self._idle) == len(self._all):
                self._at_rest.set()
            carrier.pause()
        return self._jobs.popleft()

    async def close(self) -> None:
        """Finish what was accepted."""
        await self._at_rest.wait()
        for carrier in self._all:
            carrier.close()
        await asyncio.to_thread(self.threads.shutdown)


class _Greenlet:
    """One session on the loop, listened to as long as it is open."""

    def __init__(self, lane: LoopLane) -> None:
        self._lane = lane
        self._loop = asyncio.get_running_loop()
        self._session: Session | None = None
        self._waits = False
        self._silent_at = 0.0
        """When what it waits for is given up."""
        self._alarm: asyncio.TimerHandle | None = None
        self._errors = select.poll()
        """Of the session's socket: errors, and its end."""
        self._failed = False
        self._greenlet: Any = greenlet(self._serve)
        self._back: Any = None

    # On the loop

    def go_on(self, value: object = None) -> None:
        self._back = greenlet.getcurrent()
        self._greenlet.switch(value)

    def close(self) -> None:
        """When it has no job."""
        if self._alarm is not None:
            self._alarm.cancel()
        self._forget()
        self._greenlet.parent = greenlet.getcurrent()
        self._greenlet.throw()

    def _on_readable(self) -> None:
        self._failed = bool(self._errors.poll(0))
        if self._waits:
            self.go_on()
        elif self._failed:
            self._forget()
        elif self._session is not None:
            # Nobody asked: the server says goodbye.
            self._session.drain()
            self._forget_broken()

    def _on_alarm(self) -> None:
        """One alarm for many waits, most of which are over long before it."""
        self._alarm = None
        if self._waits and self._session is not None:
            left = self._silent_at - self._loop.time()
            if left > 0:
                self._alarm = self._loop.call_later(left, self._on_alarm)
            elif is_ready(self._session, False, 0):  # this process was stopped itself, and the answer is here
                self._alarm = self._loop.call_later(self._session.patience.silence, self._on_alarm)
            else:
                self.go_on(silent(self._session.patience.silence))

    # In the greenlet

    def pause(self) -> object:
        """Let the loop go on until it calls `go_on`."""
        return self._back.switch()

    def session(self) -> Session:
        if self._session is None:
            opening = functools.partial(open_session, self._lane.url, self._lane.patience)
            self._session = self._in_thread(opening)
            self._failed = False
            self._errors.register(self._session.fileno, 0)
            self._loop.add_reader(self._session.fileno, self._on_readable)
        return self._session

    def wait(self, session: Session, write: bool) -> None:
        """Not when its socket has failed: uvloop listens to such a one no longer, once it has told, and what is
        left to read, up to the error, is there."""
        if self._failed:
            return
        if write:
            self._loop.add_writer(session.fileno, self.go_on)
        self._waits = True
        self._silent_at = self._loop.time() + session.patience.silence
        if self._alarm is None:
            self._alarm = self._loop.call_at(self._silent_at, self._on_alarm)
        try:
            failure = self.pause()
        finally:
            self._waits = False
            if write:
                self._loop.remove_writer(session.fileno)
        if isinstance(failure, Exception):
            raise failure

    def sleep(self, seconds: float) -> None:
        self._forget_broken()
        self._loop.call_later(seconds, self.go_on)
        self.pause()

    def _serve(self, _value: object) -> None:
        while True:
            job, future = self._lane.next(self)
            try:
                result = job(self)
            except GreenletExit:
                raise
            except BaseException as error:  # as threads do: it is the caller's, and the lane lives on
                if not future.done():
                    future.set_exception(_for_future(error))
            else:
                if not future.done():
                    future.set_result(result)
            self._forget_broken()

    def _in_thread(self, call: Callable[[], T]) -> T:
        opening = self._loop.run_in_executor(self._lane.threads, call)
        opening.add_done_callback(self.go_on)
        self.pause()
        return opening.result()

    def _forget_broken(self) -> None:
        """At once: libpq has closed its socket, and the next one that is opened may have the same number."""
        if self._session is not None and self._session.broken:
            self._forget()

    def _forget(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            self._errors.unregister(session.fileno)
            if not self._loop.is_closed():
                self._loop.remove_reader(session.fileno)
            session.close()


def _for_future(error: BaseException) -> BaseException:
    """A future takes no `StopIteration`: who awaits it could not tell it from its own end."""
    return RuntimeError(repr(error)) if isinstance(error, StopIteration) else error


class ThreadLane:
    """Threads with a session each."""

    def __init__(self, url: str, name: str, size: int, patience: Patience) -> None:
        self._url = url
        self._patience = patience
        self._local = threading.local()
        self._open: set[Session] = set()
        self._threads = ThreadPoolExecutor(size, f"ao-store-{name}")

    async def run(self, job: Callable[[Carrier], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, job, self)

    def session(self) -> Session:
        session: Session | None = getattr(self._local, "session", None)
        if session is not None and session.broken:
            self._open.discard(session)
            session.close()
            session = None
        if session is None:
            session = self._local.session = open_session(self._url, self._patience)
            self._open.add(session)
        return session

    def wait(self, session: Session, write: bool) -> None:
        wait_in_thread(session, write)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    async def close(self) -> None:
        """Finish what was accepted, unless it takes long."""
        ending = asyncio.ensure_future(asyncio.to_thread(self._threads.shutdown))
        await asyncio.wait({ending}, timeout=CLOSING_SECONDS)
        if not ending.done():
            for session in self._open:
                session.cut()
        await ending
        for session in self._open:
            session.close()
