"""The last write of an attempt. It is tried until the store has taken it or has refused it."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TypeVar

from pydantic import ValidationError

from ao.bus import DELAYED, READY, Bus, announce
from ao.control.payloads import Payloads
from ao.domain.agent_config import Retries
from ao.domain.errors import InvalidInput, StaleWrite, Unavailable
from ao.domain.event import NewEvent
from ao.domain.outcome import AttemptOutcome, ErrorInfo, OutcomeKind
from ao.domain.retry import RetryPolicy
from ao.domain.run import RunState
from ao.domain.session import SessionWrite
from ao.logs import get_logger
from ao.store import Store
from ao.store.records import Claim, FinishAttempt, Finished, Payload

log = get_logger(__name__)

RETRY_SECONDS = 0.5
T = TypeVar("T")


class Reporter:
    def __init__(self, store: Store, bus: Bus, payloads: Payloads, claim: Claim) -> None:
        self._store = store
        self._bus = bus
        self._payloads = payloads
        self._claim = claim

    async def hand_back(self, events: Sequence[NewEvent]) -> None:
        """Return the run without blame."""
        claim = self._claim

        async def write() -> bool:
            await self._store.runs.hand_back(claim.run_id, claim.fence, events)
            return True

        if await self._until_taken(write):
            self._bus.publish(READY)
            announce(self._bus, claim.run_id)

    async def finish(
        self,
        outcome: AttemptOutcome,
        events: Sequence[NewEvent],
        session: Callable[[], Awaitable[SessionWrite | None]] | None = None,
    ) -> None:
        """Report the outcome, and what it leaves in its session. One that nobody can write down is reported as
        a lost attempt."""
        try:
            finished = await self._until_taken(lambda: self._finish(outcome, events, session))
        except Exception as error:
            log.exception("end of attempt cannot be written", run=self._claim.run_id)
            message = f"the end of the attempt could not be written down: {type(error).__name__}"
            lost = AttemptOutcome(OutcomeKind.LOST, error=ErrorInfo(OutcomeKind.LOST, message))
            finished = await self._until_taken(lambda: self._finish(lost, []))
        if finished is not None:
            announce(self._bus, self._claim.run_id)
            if (finished.state is RunState.PENDING and finished.due_us is None) or finished.others_claimable:
                self._bus.publish(READY)
            if finished.due_us is not None:
                self._bus.publish(DELAYED)

    async def _finish(
        self,
        outcome: AttemptOutcome,
        events: Sequence[NewEvent],
        session: Callable[[], Awaitable[SessionWrite | None]] | None = None,
    ) -> Finished:
        output: Payload | None = None
        if outcome.output is not None:
            try:
                output = await self._payloads.keep(outcome.output, "result")
            except InvalidInput as error:
                outcome = _refused_result(outcome, error)
        claim, policy = self._claim, retry_policy(self._claim.config, self._claim.overrides)
        write = None if session is None else await session()
        report = FinishAttempt(claim.run_id, claim.fence, policy, random.random(), output, write)  # noqa: S311
        return await self._store.runs.finish(report, outcome, events)

    async def _until_taken(self, write: Callable[[], Awaitable[T]]) -> T | None:
        """None when the run has another owner, or has it already."""
        while True:
            try:
                return await write()
            except StaleWrite:
                log.warning("attempt reported too late", run=self._claim.run_id, fence=self._claim.fence)
                return None
            except Unavailable as error:
                log.warning("end of attempt not written yet", run=self._claim.run_id, error=str(error))
                await asyncio.sleep(RETRY_SECONDS)


@lru_cache(maxsize=256)
def retry_policy(config: str, overrides: str = "") -> RetryPolicy:
    """The policy in a deployment's configuration, or in what its assistant has over it; it is needed even when
    the rest cannot be had."""
    said = [json.loads(text).get("retries", {}) for text in (config, overrides) if text]
    try:
        return Retries.model_validate({name: value for each in said for name, value in each.items()}).policy()
    except ValidationError:  # they contradict each other, for which the run fails for good
        return Retries.model_validate(said[0]).policy()


def _refused_result(outcome: AttemptOutcome, error: InvalidInput) -> AttemptOutcome:
    info = ErrorInfo(OutcomeKind.LIMIT, error.message, hint=error.hint)
    return replace(outcome, kind=OutcomeKind.LIMIT, output=None, error=info, permanent=True)
