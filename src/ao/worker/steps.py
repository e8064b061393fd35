"""The steps of one attempt: what its runner says of them becomes events and records, each write fenced."""

import asyncio
import contextlib
import dataclasses
import functools
import json
import math
from collections.abc import Awaitable, Callable, Coroutine
from itertools import pairwise
from typing import Any, TypeVar

from ao.clock import Clock
from ao.control.payloads import Payloads
from ao.domain.errors import InvalidInput, Unavailable
from ao.domain.event import EventKind, Json
from ao.domain.outcome import ErrorInfo, OutcomeKind
from ao.domain.question import MAX_QUESTIONS, Asked, Pause
from ao.domain.session import SessionWrite
from ao.domain.step import MAX_PATH_BYTES, Step, StepKind, StepState
from ao.logs import get_logger
from ao.sandbox import Message
from ao.store import StepStore
from ao.store.records import INLINE_BYTES, Claim, Payload
from ao.worker.classify import MAX_MESSAGE, MAX_WORD, storable
from ao.worker.pauses import MAX_TIMEOUT_SECONDS, instant_of, pause_of, question_of
from ao.worker.recall import look_up
from ao.worker.recorder import Recorder
from ao.worker.redact import NOTHING, Redactor
from ao.worker.sessions import SessionDesk, said_in
from ao_runner.protocol import ProtocolError

log = get_logger(__name__)

T = TypeVar("T")

RETRY_SECONDS = 0.5
MAX_STEPS = 100_000
"""Of one attempt."""
MAX_VALUE_BYTES = 1 << 30
"""Of all results of one attempt together."""
UNDER_WAY_BYTES = 64 << 20
TASK_BYTES = 64 << 10
"""What is answered in the background, each at least so much, makes the runner wait when it is more."""
TOO_MANY = f"more than {MAX_STEPS:,} steps in one attempt"
TOO_MANY_QUESTIONS = f"one attempt asks at most {MAX_QUESTIONS} questions"
TOO_LARGE = f"the results of this attempt's steps are more than {MAX_VALUE_BYTES:,} bytes together"


class StepDesk:
    """Takes the runner's messages about steps. `send` answers it; `overrun` is told the step that took
    longer than its timeout, and the timeout; `crashed` what ends the attempt, because a step waits in vain."""

    def __init__(
        self,
        claim: Claim,
        recorder: Recorder,
        store: StepStore,
        payloads: Payloads,
        clock: Clock,
        send: Callable[[Message], Awaitable[None]],
        overrun: Callable[[str, float], None],
        crashed: Callable[[BaseException], None],
    ) -> None:
        self.redact: Redactor = NOTHING
        self.session: SessionDesk | None = None
        self._claim = claim
        self._recorder = recorder
        self._store = store
        self._payloads = payloads
        self._clock = clock
        self._send = send
        self._overrun = overrun
        self._crashed = crashed
        self._open: dict[str, Step] = {}
        self._asked: dict[str, Asked] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._under_way = 0
        """Bytes that they hold."""
        self._slack = asyncio.Event()
        self._slack.set()
        self._looking = asyncio.Lock()
        self._in_order = asyncio.Lock()
        self._count = 0
        self._value_bytes = 0
        self._last_us = 0

    def take(self, message: Message) -> bool:
        """Whether it was about a step. Raises ProtocolError when it makes no sense."""
        taker = _TAKERS.get(str(message["type"]))
        if taker is None:
            return False
        taker(self, message)
        return True

    async def room(self) -> None:
        """Return when there is room for more."""
        await self._recorder.room()
        await self._slack.wait()

    def pause(self, message: Message) -> Pause:
        """The runner's last word. Raises ProtocolError when it makes no sense."""
        return pause_of(message, self._asked)

    @property
    def under_way(self) -> str:
        """Path of the innermost step that is not over; empty when some go on beside each other."""
        paths = sorted((step.path for step in self._open.values() if step.kind is StepKind.STEP), key=len)
        nested = all(inner.startswith(f"{outer}/") for outer, inner in pairwise(paths))
        return paths[-1] if paths and nested else ""

    async def close(self) -> None:
        """The sandbox is gone: nobody hears answers."""
        for timer in self._timers.values():
            timer.cancel()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self.session is not None:
            self.session.close()

    def _begin(self, message: Message) -> None:
        step = self._started(message)
        self._open[step.path] = step
        self._event(EventKind.STEP_STARTED, step, _identity(step))
        self._keep_time(step.path, message, 0.0)
        if message.get("id"):
            self._in_background(self._acknowledge(message))

    def _retry(self, message: Message) -> None:
        step = self._opened(message)
        error, number, delay = self._error(message, step.path), message.get("try"), _seconds(message, "delay")
        if not isinstance(number, int) or not 0 < number < 1 << 31:
            raise ProtocolError("a step that is tried again, and nobody knows how often")
        data: Json = {"path": step.path, "try": number, "delay_seconds": delay}
        self._recorder.event(EventKind.STEP_RETRIED, self._now_us(), {**data, "error": _shown(error)})
        self._keep_time(step.path, message, delay)

    def _keep_time(self, path: str, message: Message, delay: float) -> None:
        """Each try has its own time. `grace` is for what the runner interrupts by itself, if anybody can."""
        if (former := self._timers.pop(path, None)) is not None:
            former.cancel()
        limit = _seconds(message, "timeout")
        if limit > 0:
            seconds = delay + limit + _seconds(message, "grace")
            timer = asyncio.get_running_loop().call_later(seconds, self._overrun, path, limit)
            self._timers[path] = timer

    def _end(self, message: Message) -> None:
        step = self._opened(message)
        del self._open[step.path]
        if (timer := self._timers.pop(step.path, None)) is not None:
            timer.cancel()
        if message.get("error") is not None:
            once = step.once and not message.get("again")
            self._fail(dataclasses.replace(step, once=once), self._error(message, step.path))
            return
        step = dataclasses.replace(step, state=StepState.COMPLETED, finished_us=self._now_us())
        if step.kind is StepKind.SPAN:
            self._event(EventKind.STEP_COMPLETED, step, _end_of(step))
            return
        text = storable(message.get("value"))[1]
        self._value_bytes += len(text)
        said = said_in(message) if self.session is not None else None
        if self._value_bytes > MAX_VALUE_BYTES:
            self._in_background(self._refuse(step, message, TOO_LARGE))
        elif said is not None and self.session is not None:
            write = functools.partial(self.session.write_of, said, step.path)
            self._in_background(self._complete_large(step, text, message, write), len(text) + said.size)
        elif len(text) <= INLINE_BYTES // 4:
            self._complete(step, Payload(text))
            self._in_background(self._acknowledge(message))
        else:
            self._in_background(self._complete_large(step, text, message), len(text))

    def _fail(self, step: Step, error: ErrorInfo) -> None:
        step = dataclasses.replace(step, state=StepState.FAILED, finished_us=self._now_us(), error=error)
        self._event(EventKind.STEP_FAILED, step, {**_end_of(step), "error": _shown(error)})

    async def _refuse(self, step: Step, message: Message, why: str) -> None:
        """Its result cannot be kept."""
        self._fail(step, ErrorInfo(OutcomeKind.ERROR, why, type="StepUnstorable", step=step.path))
        await self._reply(message, error=why)

    def _complete(self, step: Step, result: Payload, session: SessionWrite | None = None) -> None:
        step = dataclasses.replace(step, value=result.inline, value_blob=result.blob)
        self._event(EventKind.STEP_COMPLETED, step, _end_of(step), session)

    async def _complete_large(
        self,
        step: Step,
        text: str,
        message: Message,
        write: Callable[[], Coroutine[Any, Any, SessionWrite]] | None = None,
    ) -> None:
        """What is written to a session later says what was written before, too: one after the other."""
        try:
            async with self._in_order if write is not None else contextlib.nullcontext():
                result = await self._until_available(
                    lambda: self._payloads.keep(text, f"the result of step {step.path!r}")
                )
                session = None if write is None else await self._until_available(write)
                self._complete(step, result, session)
        except InvalidInput as error:
            await self._refuse(step, message, f"{error.message}. {error.hint}")
            return
        await self._acknowledge(message)

    def _sleep(self, message: Message) -> None:
        """Until when is decided once, by the first execution that comes to it."""
        until_us = instant_of(message.get("until_us"))
        step = dataclasses.replace(
            self._started({**message, "kind": StepKind.SLEEP}),
            state=StepState.COMPLETED,
            value=json.dumps({"until_us": until_us}),
        )
        step = dataclasses.replace(step, finished_us=max(until_us, step.started_us))
        self._recorder.event(EventKind.STEP_STARTED, step.started_us, _identity(step), step=step)
        self._in_background(self._acknowledge(message))

    def _question(self, message: Message) -> None:
        try:
            asked = question_of(message, self.redact)
        except InvalidInput as error:
            self._in_background(self._reply(message, error=error.message))
            return
        if len(self._asked) >= MAX_QUESTIONS and asked.path not in self._asked:
            self._in_background(self._reply(message, error=TOO_MANY_QUESTIONS))
            return
        self._asked[asked.path] = asked
        self._in_background(self._reply(message))

    def _look_up(self, message: Message) -> None:
        self._in_background(self._tell_recorded(message, _path(message)))

    async def _tell_recorded(self, message: Message, path: str) -> None:
        async with self._looking:  # one after the other: each may be large
            record = await self._until_available(
                lambda: look_up(self._store, self._payloads, self._claim.run_id, path)
            )
            await self._reply(message, recorded=record)

    async def _acknowledge(self, message: Message) -> None:
        """Answer when everything said so far is durable; never, when it will not be."""
        if await self._recorder.durable():
            await self._reply(message)

    async def _until_available(self, call: Callable[[], Awaitable[T]]) -> T:
        """A disk that is full and a database that is away cost time only: the step waits."""
        while True:
            try:
                return await call()
            except Unavailable as error:
                log.warning("a step waits", run=self._claim.run_id, error=str(error))
                await asyncio.sleep(RETRY_SECONDS)

    async def _reply(self, message: Message, **fields: object) -> None:
        await self._send({"type": "reply", "id": message.get("id"), **fields})

    def _in_background(self, work: Coroutine[Any, Any, None], size: int = 0) -> None:
        task = asyncio.create_task(work, name=f"step of {self._claim.run_id}")
        self._tasks.add(task)
        self._under_way += TASK_BYTES + size
        if self._under_way > UNDER_WAY_BYTES:
            self._slack.clear()
        task.add_done_callback(functools.partial(self._done, TASK_BYTES + size))

    def _done(self, size: int, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._under_way -= size
        if self._under_way <= UNDER_WAY_BYTES:
            self._slack.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            self._crashed(error)  # unanswered, the step would never go on

    def _event(self, kind: EventKind, step: Step, data: Json, session: SessionWrite | None = None) -> None:
        at_us = step.finished_us or step.started_us
        self._recorder.event(kind, at_us, data, step=step, session=session)

    def _now_us(self) -> int:
        """Never the same twice, so that steps have an order."""
        self._last_us = max(self._clock.now_us(), self._last_us + 1)
        return self._last_us

    def _started(self, message: Message) -> Step:
        self._count += 1
        if self._count > MAX_STEPS:
            raise ProtocolError(TOO_MANY)
        path, name = _path(message), message.get("name")
        parent, key, fingerprint = message.get("parent"), message.get("key"), message.get("fingerprint", "")
        texts = (name, fingerprint, parent or "", key or "")
        if path in self._open or not all(isinstance(text, str) and _is_clean(text) for text in texts):
            raise ProtocolError("a step that makes no sense")
        try:
            kind = StepKind(str(message.get("kind")))
        except ValueError as error:
            raise ProtocolError("a step of an unknown kind") from error
        return Step(
            path=path,
            parent=None if parent is None else str(parent),
            name=str(name),
            key=None if key is None else str(key),
            kind=kind,
            state=StepState.STARTED,
            attempt=self._claim.attempt,
            started_us=self._now_us(),
            fingerprint=str(fingerprint),
            once=bool(message.get("once")),
        )

    def _opened(self, message: Message) -> Step:
        step = self._open.get(_path(message))
        if step is None:
            raise ProtocolError("a step that was not begun")
        return step

    def _error(self, message: Message, path: str) -> ErrorInfo:
        said = message.get("error")
        fields = said if isinstance(said, dict) else {}
        text = storable(self.redact(str(fields.get("message"))))[0]
        return ErrorInfo(
            OutcomeKind.ERROR,
            str(text)[:MAX_MESSAGE],
            type=str(storable(str(fields.get("type")))[0])[:MAX_WORD],
            step=path,
        )


_TAKERS: dict[str, Callable[[StepDesk, Message], None]] = {
    "step": StepDesk._begin,
    "step_retry": StepDesk._retry,
    "step_end": StepDesk._end,
    "sleep": StepDesk._sleep,
    "question": StepDesk._question,
    "lookup": StepDesk._look_up,
}


def _identity(step: Step) -> Json:
    fields: Json = {"path": step.path, "parent": step.parent, "name": step.name, "key": step.key}
    return {**fields, "kind": str(step.kind)}


def _end_of(step: Step) -> Json:
    took_us = (step.finished_us or step.started_us) - step.started_us
    return {"path": step.path, "kind": str(step.kind), "duration_us": took_us}


def _seconds(message: Message, name: str) -> float:
    value = message.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return 0.0
    return min(max(float(value), 0.0), MAX_TIMEOUT_SECONDS)


def _shown(error: ErrorInfo) -> Json:
    return {"type": error.type, "message": error.message}


def _path(message: Message) -> str:
    path = message.get("path")
    if not isinstance(path, str) or not path or not _is_clean(path):
        raise ProtocolError("a step without a path")
    return path


def _is_clean(text: str) -> bool:
    """Whether every database takes it, as part of a key."""
    try:
        return len(text.encode()) <= MAX_PATH_BYTES and "\0" not in text
    except UnicodeEncodeError:
        return False
