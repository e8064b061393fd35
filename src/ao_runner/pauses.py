"""`ask`, `approve`, `sleep` and `sleep_until`: an agent that waits has no process."""

from __future__ import annotations

import json
import time

from ao_runner import AnswerTimeout, Refused, ledger, results
from ao_runner.channel import running_loop
from ao_runner.ledger import fingerprint_of
from ao_runner.task import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any

    from ao_runner.ledger import Entry, Ledger

_SHORT_SECONDS = 1.0
"""A sleep that has so little left is slept in the process."""
_LONGEST_NAP_SECONDS = 3600.0
"""Then the clock is looked at again."""
_GATHER_SECONDS = 0.005
"""So long a question waits for others that are asked at the same time."""


class _Raise:
    def __repr__(self) -> str:
        return "raise AnswerTimeout"


_RAISE: Any = _Raise()


class Approval:
    """What somebody has decided. It is true when that was yes."""

    def __init__(self, approved: bool, by: str, at: str, comment: str) -> None:
        self.approved = approved
        self.by = by
        """Who, such as `key:anna`; empty when nobody answered in time."""
        self.at = at
        """When, as ISO 8601 in UTC."""
        self.comment = comment

    def __bool__(self) -> bool:
        return self.approved

    def __repr__(self) -> str:
        return "Approval(approved=%r, by=%r, at=%r, comment=%r)" % (
            self.approved,
            self.by,
            self.at,
            self.comment,
        )


def ask(
    question: str,
    *,
    schema: dict[str, Any] | None = None,
    details: Any = None,
    timeout: float | None = None,
    default: Any = _RAISE,
    name: str = "ask",
    key: str | int | None = None,
) -> Any:
    """Ask people and return their answer, a JSON value that fits `schema`; in a coroutine, something to await.

    The process ends, and the slot is free, until there is an answer. After `timeout` seconds without one
    `AnswerTimeout` is raised, or `default` returned.
    """
    asked = _asked("question", question, schema, details, timeout)
    if running_loop() is not None:
        return _ask_async(asked, default, name, key)
    return _answer(_wait_for_answer(asked, name, key), default)


def approve(
    question: str,
    *,
    details: Any = None,
    timeout: float | None = None,
    name: str = "approve",
    key: str | int | None = None,
) -> Any:
    """Ask for a yes or no, and return it as an `Approval`; in a coroutine, something to await. Nobody's answer
    within `timeout` seconds is a no."""
    asked = _asked("approval", question, None, details, timeout)
    if running_loop() is not None:
        return _approve_async(asked, name, key)
    return _approval(_wait_for_answer(asked, name, key))


def sleep(seconds: float, *, name: str = "sleep", key: str | int | None = None) -> Any:
    """Go on after so many seconds, counted from the first time that the run comes here; in a coroutine,
    something to await. Meanwhile there is no process, and the slot is free."""
    if not 0 <= seconds < float("inf"):
        raise Refused("`seconds` is a number of seconds, 0 or more")
    return _sleep(int((_now() + seconds) * 1e6), name, key)


def sleep_until(moment: datetime | float, *, name: str = "sleep", key: str | int | None = None) -> Any:
    """Go on at an instant: an aware `datetime`, or seconds of the epoch."""
    if isinstance(moment, (int, float)):
        instant = float(moment)
    elif moment.tzinfo is None:
        raise Refused("a `datetime` without time zone is no instant: use datetime.now(timezone.utc)")
    else:
        instant = moment.timestamp()
    return _sleep(int(instant * 1e6), name, key)


# --- questions -------------------------------------------------------------------------------------


def _asked(kind: str, question: str, schema: Any, details: Any, timeout: float | None) -> dict[str, Any]:
    if not str(question).strip():
        raise Refused("a question is a text")
    if timeout is not None and not 0 <= timeout < float("inf"):
        raise Refused("`timeout` is a number of seconds, 0 or more")
    for value, what in ((schema, "schema"), (details, "details")):
        try:
            results.text_of(value, what)
        except Failure as failure:
            raise Refused("%s. %s" % (failure, failure.fields["hint"])) from None
    return {
        "kind": kind,
        "text": question,
        "schema": schema,
        "details": json.loads(json.dumps(details)),
        "timeout": timeout,
    }


def _wait_for_answer(asked: dict[str, Any], name: str, key: Any) -> Any:
    book = _book("ask")
    entry, fingerprint = book.enter(name, key, "ask"), _fingerprint(asked)
    try:
        if book.must_ask(entry):
            book.answer(entry, book.channel.call(book.lookup(entry)))
        book.check(entry, fingerprint)
        if entry.record is None:
            _accept(book.channel.call(_question(entry, asked, fingerprint)))
            book.wait_for(entry, None)
            time.sleep(_GATHER_SECONDS)
            book.pause_if_quiet()
            ledger.park()
        return entry.record["value"]  # type: ignore[index]
    finally:
        book.leave(entry)


async def _wait_for_answer_async(asked: dict[str, Any], name: str, key: Any) -> Any:
    book = _book("ask")
    entry, fingerprint = book.enter(name, key, "ask"), _fingerprint(asked)
    try:
        if book.must_ask(entry):
            book.answer(entry, await book.channel.call_async(book.lookup(entry)))
        book.check(entry, fingerprint)
        if entry.record is None:
            _accept(await book.channel.call_async(_question(entry, asked, fingerprint)))
            book.wait_for(entry, None)
            await _pause_async(book)
        return entry.record["value"]  # type: ignore[index]
    finally:
        book.leave(entry)


async def _ask_async(asked: dict[str, Any], default: Any, name: str, key: Any) -> Any:
    return _answer(await _wait_for_answer_async(asked, name, key), default)


async def _approve_async(asked: dict[str, Any], name: str, key: Any) -> Approval:
    return _approval(await _wait_for_answer_async(asked, name, key))


def _question(entry: Entry, asked: dict[str, Any], fingerprint: str) -> dict[str, Any]:
    above = entry.parent
    while above is not None:
        if above.once:
            raise Refused("a step with `once=True` cannot wait: it is never executed again to go on")
        above = above.parent
    return {"type": "question", **entry.fields(), **asked, "fingerprint": fingerprint}


def _fingerprint(asked: dict[str, Any]) -> str:
    return fingerprint_of((asked["kind"], asked["text"], asked["schema"]), {})


def _accept(reply: dict[str, Any]) -> None:
    if reply.get("error"):
        raise Refused(reply["error"])


def _answer(record: Any, default: Any) -> Any:
    if not record.get("timed_out"):
        return record["answer"]
    if default is _RAISE:
        raise AnswerTimeout("nobody answered in time")
    return default


def _approval(record: Any) -> Approval:
    if record.get("timed_out"):
        return Approval(False, "", "", "nobody answered in time")
    return Approval(bool(record["answer"]), record["by"], record["at"], record.get("comment", ""))


# --- sleeping --------------------------------------------------------------------------------------


def _sleep(until_us: int, name: str, key: Any) -> Any:
    if running_loop() is not None:
        return _sleep_async(until_us, name, key)
    book = ledger.of_run()
    if book is None:
        time.sleep(_left(until_us))
        return None
    entry = book.enter(name, key, "sleep")
    try:
        if book.must_ask(entry):
            book.answer(entry, book.channel.call(book.lookup(entry)))
        if entry.record is not None:
            until_us = entry.record["value"]["until_us"]
        else:
            book.channel.call({"type": "sleep", **entry.fields(), "until_us": until_us})
        if _left(until_us) > _SHORT_SECONDS:
            book.wait_for(entry, until_us)
            book.pause_if_quiet()
        while (left := _left(until_us)) > 0:  # here, for as long as steps in flight keep the process
            time.sleep(min(left, _LONGEST_NAP_SECONDS))
    finally:
        book.leave(entry)
    return None


async def _sleep_async(until_us: int, name: str, key: Any) -> None:
    import asyncio  # noqa: PLC0415 - its caller has it already

    book = ledger.of_run()
    if book is None:
        await asyncio.sleep(_left(until_us))
        return
    entry = book.enter(name, key, "sleep")
    try:
        if book.must_ask(entry):
            book.answer(entry, await book.channel.call_async(book.lookup(entry)))
        if entry.record is not None:
            until_us = entry.record["value"]["until_us"]
        else:
            await book.channel.call_async({"type": "sleep", **entry.fields(), "until_us": until_us})
        if _left(until_us) > _SHORT_SECONDS:
            book.wait_for(entry, until_us)
            await asyncio.sleep(_GATHER_SECONDS)
            book.pause_if_quiet()
        while (left := _left(until_us)) > 0:  # noqa: ASYNC110 - what is waited for is the time
            await asyncio.sleep(min(left, _LONGEST_NAP_SECONDS))
    finally:
        book.leave(entry)


def _left(until_us: int) -> float:
    return max(0.0, until_us / 1e6 - _now())


def _now() -> float:
    """By the clock of the store, where that may be another one: it does not jump when this machine's is set."""
    book = ledger.of_run()
    if book is None or book.booted_us is None:
        return time.time()
    boot = time.CLOCK_BOOTTIME if hasattr(time, "CLOCK_BOOTTIME") else time.CLOCK_MONOTONIC
    return book.booted_us / 1e6 + time.clock_gettime(boot)


async def _pause_async(book: Ledger) -> None:
    import asyncio  # noqa: PLC0415

    await asyncio.sleep(_GATHER_SECONDS)
    book.pause_if_quiet()
    await ledger.park_async()


def _book(what: str) -> Ledger:
    book = ledger.of_run()
    if book is None:
        raise RuntimeError("%s() needs a run of AO: nobody would see the question" % what)
    return book
