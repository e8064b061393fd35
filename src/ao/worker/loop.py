"""The worker's life: a lease, heartbeats that keep it, and claims for free slots only."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass

from ao.bus import CANCEL, READY, Subscription
from ao.clock import boot_seconds
from ao.control.upkeep import announce_lost
from ao.domain.errors import SandboxError, StaleWrite, Unavailable
from ao.domain.outcome import AttemptOutcome, ErrorInfo, OutcomeKind
from ao.domain.placement import LESS_LOADED, Offer
from ao.domain.retry import RetryPolicy
from ao.ids import RunId, WorkerId, new_worker_id
from ao.logs import get_logger
from ao.sandbox import StopCause
from ao.store.records import Claims, FinishAttempt
from ao.store.worker_records import Owned
from ao.worker.attempt import Attempt
from ao.worker.bench import Bench

log = get_logger(__name__)

COURTESY_SECONDS = 0.05
"""So long, at most, a worker leaves new work to one that is less loaded."""
LOOK_SECONDS = 5.0
"""So long, at most, hints are trusted: a heartbeat tells of runs that wait."""
UNAVAILABLE_SECONDS = 1.0
SETTLE_SECONDS = 30.0
"""Attempts that were stopped have ended and are reported by then, unless the store takes nothing."""

Key = tuple[RunId, int]
"""A run and the fence of the attempt that this worker makes of it."""


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    name: str
    slots: int
    lease_seconds: float
    heartbeat_seconds: float
    grace_seconds: float
    """On shutdown, attempts have this long to end before they are handed back."""
    offer: Offer
    version: str
    """Of AO."""


class LeaseLost(Exception):
    """The store took this worker's runs back."""


class Worker:
    def __init__(self, bench: Bench, options: WorkerOptions) -> None:
        self._bench = bench
        self._options = options
        self._attempts: dict[Key, tuple[Attempt, asyncio.Task[None]]] = {}
        self._taking: asyncio.Task[Claims] | None = None
        self._unknown: set[Key] = set()
        """What the last heartbeat said is ours and was not."""
        self._slot_freed = asyncio.Event()
        self._drain = asyncio.Event()
        self._least_load: float | None = None
        """Of the other workers, as the last heartbeat told it."""
        self._lease_ends = 0.0
        """On the boot-time clock; never later than the lease in the store."""

    async def run(self) -> None:
        """Work until `drain` is called and everything is finished or handed back."""
        try:
            async with asyncio.TaskGroup() as group:
                mending = group.create_task(self._bench.supervision.mend(self._mended), name="supervision")
                await self._keep_lease()
                mending.cancel()
        finally:
            await self._stop_all(StopCause.SHUTDOWN)

    def drain(self) -> None:
        """Stop claiming and let `run` come to its end."""
        self._drain.set()

    @property
    def draining(self) -> bool:
        return self._drain.is_set()

    @property
    def hold(self) -> str:
        """Why it takes nothing for now; empty: it does."""
        return self._bench.room.hold

    @property
    def lease_ends(self) -> float:
        """On the boot-time clock; in the past when the store takes no heartbeats. 0 before the first lease."""
        return self._lease_ends

    async def _keep_lease(self) -> None:
        while not self._drain.is_set():
            worker_id = new_worker_id()
            try:
                await self._work(worker_id)
            except* LeaseLost:
                log.error("worker lost its lease; its sandboxes are stopped", worker=worker_id)
                await self._stop_all(StopCause.LEASE)
            except* Unavailable as error:
                log.warning("the store does not take this worker", error=str(error.exceptions[0]))
                await asyncio.sleep(UNAVAILABLE_SECONDS)

    async def _work(self, worker_id: WorkerId) -> None:
        store, options = self._bench.store, self._options
        level = str(self._bench.executor.info.level)
        asked = boot_seconds()
        await store.workers.register(
            worker_id, options.name, options.slots, level, self._lease_us, options.offer, options.version
        )
        self._lease_ends = asked + options.lease_seconds
        self._unknown.clear()
        await self._renew()
        log.info("worker ready", worker=worker_id, slots=options.slots, sandbox=level)
        with self._bench.bus.subscribe(READY) as ready:
            async with asyncio.TaskGroup() as group:
                heart = group.create_task(self._heartbeat(worker_id, ready), name="heartbeat")
                claiming = group.create_task(self._claim(worker_id, ready), name="claims")
                await self._drain.wait()
                claiming.cancel()
                await self._finish_within_grace()
                heart.cancel()
        announce_lost(await store.workers.retire(worker_id), self._bench.bus)

    @property
    def _lease_us(self) -> int:
        return int(self._options.lease_seconds * 1e6)

    async def _heartbeat(self, worker_id: WorkerId, ready: Subscription) -> None:
        """Keep the lease, and look at what the store says that this worker executes, and may. The kill deadline
        is counted from before the heartbeat was sent, so that it never lies after the lease."""
        pause = every = min(self._options.heartbeat_seconds, LOOK_SECONDS)
        with self._bench.bus.subscribe(CANCEL) as cancels:
            while True:
                await cancels.wait(pause * random.uniform(0.8, 1.0))  # noqa: S311 - spreads workers
                sent, pause = boot_seconds(), every
                try:
                    busy, hold = len(self._attempts), self._bench.room.hold
                    beat = await self._bench.store.workers.heartbeat(worker_id, self._lease_us, busy, hold)
                    await self._compare(beat.owned)
                except StaleWrite as error:
                    raise LeaseLost from error
                except Unavailable as error:
                    log.warning("heartbeat not accepted", worker=worker_id, error=str(error))
                    pause = min(UNAVAILABLE_SECONDS, pause)
                    continue
                self._lease_ends = sent + self._options.lease_seconds
                self._least_load = beat.least_load
                if beat.waiting:
                    ready.notify()
                await self._renew()
                if beat.drain and not self._drain.is_set():
                    log.info("told to drain", worker=worker_id)
                    self._drain.set()

    async def _compare(self, owned: Sequence[Owned]) -> None:
        """Stop what was asked to cancel, and let go of what is ours in the store only: a claim whose answer
        was lost, an attempt whose end could not be written."""
        keys = {(run.run_id, run.fence) for run in owned}
        for run in owned:
            if run.cancel_requested and (run.run_id, run.fence) in self._attempts:
                self._attempts[run.run_id, run.fence][0].stop(StopCause.CANCELLED)
        claiming = self._taking is not None and not self._taking.done()
        unknown = set() if claiming else keys - self._attempts.keys()
        for run_id, fence in unknown & self._unknown:
            await self._lose(run_id, fence)
        self._unknown = unknown

    async def _lose(self, run_id: RunId, fence: int) -> None:
        log.error("a run that nobody executes is given back", run=run_id, fence=fence)
        error = ErrorInfo(OutcomeKind.LOST, "the worker lost track of the run")
        try:
            await self._bench.store.runs.finish(
                FinishAttempt(run_id, fence, RetryPolicy(), 0.0, None),
                AttemptOutcome(OutcomeKind.LOST, error=error),
                [],
            )
        except StaleWrite:
            return  # it ended a moment ago
        self._bench.bus.publish(READY)

    async def _renew(self) -> None:
        """Set the supervisor's kill deadline to the end of the lease."""
        try:
            await self._bench.executor.renew(max(0.0, self._lease_ends - boot_seconds()))
        except SandboxError:
            log.warning("no supervisor to renew; it is being replaced")

    async def _mended(self) -> None:
        await self._renew()
        self._slot_freed.set()

    async def _claim(self, worker_id: WorkerId, ready: Subscription) -> None:
        while True:
            if self._bench.room.hold:
                await self._bench.room.wait()
            free = self._options.slots - len(self._attempts)
            if free <= 0 or self._bench.executor.lost.is_set():
                self._slot_freed.clear()
                await self._slot_freed.wait()
                continue
            self._taking = asyncio.create_task(self._take(worker_id, free), name="claim")
            try:
                taken = await asyncio.shield(self._taking)
            except Unavailable as error:
                log.warning("no claim possible", worker=worker_id, error=str(error))
                await asyncio.sleep(UNAVAILABLE_SECONDS)
                continue
            if len(taken) < free:
                await ready.wait(None if taken.again_us is None else taken.again_us / 1e6)
                if courtesy := self._courtesy():
                    await asyncio.sleep(courtesy)

    def _courtesy(self) -> float:
        """Seconds that new work is left to a worker which is less loaded. Who has a queue before it, and comes
        back for more, is not polite."""
        load = len(self._attempts) / self._options.slots
        lead = 0.0 if self._least_load is None else load - self._least_load
        return COURTESY_SECONDS * lead if lead >= LESS_LOADED else 0.0

    async def _take(self, worker_id: WorkerId, free: int) -> Claims:
        """Claim and begin. It is never cut off in between: what was claimed is ours, also when stopping."""
        claims = await self._bench.store.runs.claim(worker_id, free)
        for claim in claims:
            attempt = Attempt(self._bench, claim)
            task = asyncio.create_task(self._execute(attempt), name=f"run {claim.run_id}")
            self._attempts[claim.run_id, claim.fence] = (attempt, task)
        return claims

    async def _execute(self, attempt: Attempt) -> None:
        try:
            await attempt.execute()
        except Exception:
            log.exception("attempt not reported; a heartbeat gives it back", run=attempt.claim.run_id)
        finally:
            del self._attempts[attempt.claim.run_id, attempt.claim.fence]
            self._slot_freed.set()

    async def _finish_within_grace(self) -> None:
        await self._taken()
        tasks = [task for _, task in self._attempts.values()]
        if tasks:
            log.info("waiting for runs in flight", runs=len(tasks), seconds=self._options.grace_seconds)
            await asyncio.wait(tasks, timeout=self._options.grace_seconds)
        await self._stop_all(StopCause.SHUTDOWN)

    async def _taken(self) -> None:
        """Wait until nothing is being claimed."""
        if self._taking is not None:
            await asyncio.wait({self._taking}, timeout=SETTLE_SECONDS)
            self._taking.cancel()
            if not self._taking.cancelled() and self._taking.done():
                self._taking.exception()  # it was told where the claim was awaited, or nothing was claimed

    async def _stop_all(self, cause: StopCause) -> None:
        await self._taken()
        for attempt, _ in list(self._attempts.values()):
            attempt.stop(cause)
        tasks = [task for _, task in self._attempts.values()]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=SETTLE_SECONDS)
            for task in late:
                log.error("attempt ends unreported; its run is taken up again later", attempt=task.get_name())
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=SETTLE_SECONDS)
