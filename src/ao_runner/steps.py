"""`step`, `span` and `idempotency_key`, as agents use them."""

from __future__ import annotations

import contextlib
import functools
import json
import time

from ao_runner import Refused, Retry, StepTimeout, StepUnstorable, ledger, results
from ao_runner.channel import running_loop
from ao_runner.task import Failure
from ao_runner.verdicts import decisive, in_short, leaves, permanent_by

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Protocol, TypeVar, overload

    from ao_runner.ledger import Entry, Ledger

    F = TypeVar("F", bound=Callable[..., Any])

    class StepDecorator(Protocol):
        """What `step` is to a type checker; see `_Step`."""

        @overload
        def __call__(self, function: F) -> F: ...

        @overload
        def __call__(
            self,
            *,
            name: str | None = None,
            key: Callable[..., str | int] | None = None,
            once: bool = False,
            retries: int = 0,
            timeout: float | None = None,
        ) -> Callable[[F], F]: ...

        def run(
            self,
            name: str,
            function: Callable[..., Any],
            *args: Any,
            key: str | int | None = None,
            once: bool = False,
            retries: int = 0,
            timeout: float | None = None,
            **named: Any,
        ) -> Any: ...


_CO_COROUTINE = 0x80
_FIRST_DELAY_SECONDS = 1.0
_LONGEST_DELAY_SECONDS = 60.0
_GRACE_SECONDS = 2.0
"""So long after its timeout a coroutine has for its own end; then the worker ends the attempt."""
_PARKED_SECONDS = 0.05
"""A step that cannot begin because the run is about to pause looks again, in case a cancel has undone that."""


class _Options:
    """How a step is executed."""

    def __init__(self, key: Any, once: bool, retries: int, timeout: Any) -> None:
        if type(retries) is not int or retries < 0:
            raise Refused("`retries` is a number of retries, 0 or more")
        if timeout is not None and not (isinstance(timeout, (int, float)) and timeout > 0):
            raise Refused("`timeout` is a number of seconds above 0")
        if once and retries:
            raise Refused("a step with `once=True` is never tried again: leave `retries` out")
        self.key = key
        self.once = once
        self.retries = retries
        self.timeout: float | None = timeout


class _Step:
    """`@step`, `@step(name=…)` and `step.run(name, function, …)`."""

    def __call__(
        self,
        function: Any = None,
        *,
        name: str | None = None,
        key: Callable[..., str | int] | None = None,
        once: bool = False,
        retries: int = 0,
        timeout: float | None = None,
    ) -> Any:
        """Make every call of a function a step. `key` is a function of the same arguments."""
        if function is None:
            return functools.partial(self, name=name, key=key, once=once, retries=retries, timeout=timeout)
        if not callable(function):
            raise TypeError("@step decorates a function; `step.run(name, function, …)` calls one")
        called = name or function.__name__
        options = _Options(key, once, retries, timeout)

        if _is_async(function):

            @functools.wraps(function)
            async def asynchronous(*args: Any, **named: Any) -> Any:
                return await _run_async(called, function, args, named, options, _key_of(key, args, named))

            return asynchronous

        @functools.wraps(function)
        def synchronous(*args: Any, **named: Any) -> Any:
            return _run(called, function, args, named, options, _key_of(key, args, named))

        return synchronous

    def run(
        self,
        name: str,
        function: Callable[..., Any],
        *args: Any,
        key: str | int | None = None,
        once: bool = False,
        retries: int = 0,
        timeout: float | None = None,
        **named: Any,
    ) -> Any:
        """Call `function(*args, **named)` as a step and return its result, read back from JSON; for an
        `async def` function something to await."""
        options = _Options(key, once, retries, timeout)
        if _is_async(function):
            return _run_async(name, function, args, named, options, key)
        return _run(name, function, args, named, options, key)


step: StepDecorator = _Step()


class span:  # noqa: N801 - reads as `with span(name)`
    """`with span(name):` draws what is inside as one part of the run. Nothing is recorded but its times; steps
    inside belong to it."""

    def __init__(self, name: str, *, key: str | int | None = None) -> None:
        self._name = name
        self._key = key
        self._entry: Entry | None = None
        self._book: Ledger | None = None
        self._token: Any = None

    def __enter__(self) -> None:
        self._book = ledger.of_run()
        if self._book is None:
            return
        self._entry = self._book.enter(self._name, self._key, "span")
        self._token = ledger.current.set(self._entry)
        self._book.channel.tell({"type": "step", "id": 0, **self._entry.fields()})

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if self._book is None or self._entry is None:
            return
        ledger.current.reset(self._token)
        self._book.leave(self._entry)
        told = None if error is None else in_short(error, self._book.task.retries)
        self._book.channel.tell({"type": "step_end", "id": 0, "path": self._entry.path, "error": told})

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        self.__exit__(kind, error, traceback)


def idempotency_key() -> str:
    """Inside a step: a key that is the same in every execution of it, for services that take one."""
    book, entry = ledger.of_run(), ledger.current.get()
    while entry is not None and entry.kind != "step":
        entry = entry.parent
    if book is None:
        return "outside-of-ao"
    if entry is None:
        raise RuntimeError("idempotency_key() belongs inside a step")
    return book.idempotency_key(entry)


# --- execution -------------------------------------------------------------------------------------


def _run(name: str, function: Any, args: Any, named: Any, options: _Options, key: Any) -> Any:
    book = ledger.of_run()
    if book is None:
        return function(*args, **named)
    fingerprint = ledger.fingerprint_of(args, named)
    entry = book.enter(name, key, "step")
    try:
        if book.must_ask(entry):
            book.answer(entry, book.channel.call(book.lookup(entry)))
        book.check(entry, fingerprint)
        if entry.record is not None:
            return book.answer_of(entry)
        while not book.begin(entry):
            time.sleep(_PARKED_SECONDS)
        start = _start(entry, fingerprint, options, options.timeout or book.default_timeout, 0.0)
        if options.once:
            book.channel.call(start)
        else:
            book.channel.tell(start)
        text = _try(book, entry, options, lambda: function(*args, **named))
        with book.ends:
            end = _end_of(book, entry, text)
            answer = book.channel.ask(end)
        _accept(entry, answer())
        book.recorded(end)
        book.keep(entry, fingerprint, text)
        return json.loads(text)
    finally:
        book.leave(entry)


async def _run_async(name: str, function: Any, args: Any, named: Any, options: _Options, key: Any) -> Any:
    book = ledger.of_run()
    if book is None:
        return await function(*args, **named)
    fingerprint = ledger.fingerprint_of(args, named)
    entry = book.enter(name, key, "step")
    try:
        if book.must_ask(entry):
            book.answer(entry, await book.channel.call_async(book.lookup(entry)))
        book.check(entry, fingerprint)
        if entry.record is not None:
            return book.answer_of(entry)
        while not book.begin(entry):
            import asyncio  # noqa: PLC0415 - seldom

            await asyncio.sleep(_PARKED_SECONDS)
        timeout = options.timeout or book.default_timeout
        start = _start(entry, fingerprint, options, timeout, _GRACE_SECONDS)
        if options.once:
            await _begin_once(book, entry, start)
        else:
            book.channel.tell(start)
        text = await _try_async(book, entry, options, timeout, lambda: function(*args, **named))
        with book.ends:
            end = _end_of(book, entry, text)
            answer = book.channel.ask_async(end)
        _accept(entry, await answer)
        book.recorded(end)
        book.keep(entry, fingerprint, text)
        return json.loads(text)
    finally:
        book.leave(entry)


async def _begin_once(book: Ledger, entry: Entry, start: dict[str, Any]) -> None:
    try:
        await book.channel.call_async(start)
    except BaseException as error:  # cancelled before it did anything
        end = {"type": "step_end", "id": 0, "path": entry.path, "again": True}
        book.channel.tell({**end, "error": in_short(error, book.task.retries)})
        raise


def _start(
    entry: Entry, fingerprint: str, options: _Options, timeout: float | None, grace: float
) -> dict[str, Any]:
    """The worker keeps the time of what nobody in this process can interrupt, and of what holds up its loop."""
    entry.once, entry.fingerprint = options.once, fingerprint
    entry.time = {"timeout": timeout, "grace": grace}
    return {
        "type": "step",
        "id": 0,
        **entry.fields(),
        "fingerprint": fingerprint,
        "once": options.once,
        **entry.time,
    }


def _try(book: Ledger, entry: Entry, options: _Options, call: Callable[[], Any]) -> str:
    """The result as JSON text."""
    failed = 0
    while True:
        token = ledger.current.set(entry)
        try:
            return _text(entry, call())
        except BaseException as error:
            failed += 1
            delay = _delay(book, error, failed, options)
            _tell_failure(book, entry, error, failed, delay)
            if delay is None:
                raise
        finally:
            ledger.current.reset(token)
        entry.inside, entry.frame = ledger.Inside(), None
        time.sleep(delay)


async def _try_async(
    book: Ledger, entry: Entry, options: _Options, timeout: float | None, call: Callable[[], Any]
) -> str:
    import asyncio  # noqa: PLC0415 - its caller has it already

    failed = 0
    while True:
        token = ledger.current.set(entry)
        try:
            return _text(entry, await _within(timeout, entry, call()))
        except BaseException as error:
            failed += 1
            delay = _delay(book, error, failed, options)
            _tell_failure(book, entry, error, failed, delay)
            if delay is None:
                raise
        finally:
            ledger.current.reset(token)
        entry.inside, entry.frame = ledger.Inside(), None
        await asyncio.sleep(delay)


async def _within(seconds: float | None, entry: Entry, work: Any) -> Any:
    if seconds is None or running_loop() is None:
        return await work
    import asyncio  # noqa: PLC0415

    task = asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
    except BaseException:
        task.cancel()
        await asyncio.wait({task})
        raise
    if done:
        return task.result()
    task.cancel()
    await asyncio.wait({task})
    raise StepTimeout("step %r took longer than its timeout of %g s" % (entry.path, seconds))


def _delay(book: Ledger, error: BaseException, failed: int, options: _Options) -> float | None:
    """Seconds until the step is tried again; None when it is not."""
    if failed > options.retries or not isinstance(error, Exception) or permanent_by(error, book.task.retries):
        return None
    one = decisive(error, book.task.retries)
    if isinstance(one, Retry) and one.after is not None:
        return one.after
    return min(_LONGEST_DELAY_SECONDS, _FIRST_DELAY_SECONDS * 2.0 ** (failed - 1))


def _tell_failure(book: Ledger, entry: Entry, error: BaseException, failed: int, delay: float | None) -> None:
    if not hasattr(error, "__ao_step__"):
        # Classes with slots take no note: the run's error will not name the step.
        with contextlib.suppress(AttributeError):
            error.__ao_step__ = entry.path  # type: ignore[attr-defined]
    message: dict[str, Any] = {
        "type": "step_end",
        "id": 0,
        "path": entry.path,
        "error": in_short(error, book.task.retries),
    }
    if entry.once:
        # Whoever raises Retry says that there was no effect.
        message["again"] = all(isinstance(each, Retry) for each in leaves(error))
        if not message["again"]:
            book.doubt(entry)
    if delay is not None:
        message.update(type="step_retry", **{"try": failed, "delay": delay}, **entry.time)
    book.channel.tell(message)


def _text(entry: Entry, value: Any) -> str:
    if hasattr(value, "__await__"):
        if hasattr(value, "close"):
            value.close()
        raise StepUnstorable(
            "step %r returned something to await: pass it an `async def` function itself" % entry.path
        )
    try:
        return results.text_of(value, entry.path)
    except Failure as failure:
        raise StepUnstorable("%s. %s" % (failure, failure.fields["hint"])) from None


def _end_of(book: Ledger, entry: Entry, text: str) -> dict[str, Any]:
    try:
        return book.end_of(entry, text)
    except Exception as error:
        _tell_failure(book, entry, error, 1, None)
        raise


def _accept(entry: Entry, reply: dict[str, Any]) -> None:
    """Raises when the worker did not record the result."""
    if reply.get("error"):
        raise StepUnstorable("step %r cannot be recorded: %s" % (entry.path, reply["error"]))


def _is_async(function: Any) -> bool:
    while isinstance(function, functools.partial):
        function = function.func
    code = getattr(function, "__code__", None) or getattr(type(function).__call__, "__code__", None)
    return code is not None and bool(code.co_flags & _CO_COROUTINE)


def _key_of(key: Any, args: Any, named: Any) -> Any:
    return key(*args, **named) if callable(key) else key
