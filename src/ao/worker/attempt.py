"""One attempt of one run: resolve → start → stream → classify → report.

Whatever a sandbox does, an attempt ends: preparing has a time limit and can be stopped, and a sandbox that does
not end when it is told to costs its supervisor the life (`ao.worker.supervision`).
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace

from ao.build.disk import refusals_told
from ao.domain.errors import AoError, InvalidInput, SandboxError, StorageClosed, StorageFull, Unavailable
from ao.domain.event import EventKind
from ao.domain.outcome import AttemptOutcome, ErrorInfo, OutcomeKind
from ao.domain.question import Pause
from ao.logs import get_logger
from ao.sandbox import Message, Sandbox, SandboxExit, SandboxSpec, StopCause
from ao.store.records import Claim
from ao.worker.bench import Bench
from ao.worker.classify import Ending, classify, lost, overran
from ao.worker.output import Output
from ao.worker.parting import exit_as_told, see_off
from ao.worker.recorder import Recorder
from ao.worker.report import Reporter
from ao.worker.resolve import Resolved, time_limit
from ao.worker.sessions import SessionDesk
from ao.worker.steps import StepDesk
from ao_runner.protocol import ProtocolError

log = get_logger(__name__)

PREPARE_SECONDS = 600.0
"""Release, environment and sandbox must be there by then; an environment that is made again takes longest."""
IMAGE_SECONDS = 2400.0
"""In place of that where an image is built first: longer than a build may take."""
START_SECONDS = 90.0
"""A sandbox is up or has failed by then, or its supervisor hangs."""
STOP_SECONDS = 15.0
"""A sandbox that was told to stop is gone by then, or its supervisor hangs."""
LOST_SECONDS = 5.0
"""After its supervisor's end a sandbox has this long to say that it ended, too."""
READ_SECONDS = 15.0
"""What is left in the pipes of a sandbox that is gone is read by then."""
QUICK_SECONDS = 0.005
"""So long a run's output stays in its pipes: one that ends by then is read once, without being listened to."""
LINGER_SECONDS = 2.0
"""After its result an agent's leftover threads and children have this long to end by themselves."""
RETRY_SECONDS = 1.0


class Attempt:
    def __init__(self, bench: Bench, claim: Claim) -> None:
        self._bench = bench
        self.claim = claim
        self._recorder = Recorder(
            bench.store, bench.bus, claim.run_id, claim.fence, claim.attempt, lambda: self.stop(StopCause.LEASE)
        )
        self._output = Output(self._recorder, bench.clock)
        self._desk = StepDesk(
            claim,
            self._recorder,
            bench.store.steps,
            bench.payloads,
            bench.clock,
            self._answer,
            self._step_overran,
            self._crashed,
        )
        self._session: SessionDesk | None = None
        self._overrun: tuple[str, float] | None = None
        """The step that took too long, and its timeout."""
        self._nonsense = ""
        self._gpus: Sequence[int] = ()
        self._begun = asyncio.get_running_loop().time()
        self._lost = bench.executor.lost
        self._preparing: asyncio.Timeout | None = None
        self._sandbox: Sandbox | None = None
        self._stop_cause: StopCause | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._exit: asyncio.Future[SandboxExit] = asyncio.get_running_loop().create_future()
        self._readers: list[asyncio.Task[None]] = []
        self._pumping = self._seen_off = False
        self._timers: list[asyncio.TimerHandle] = []
        self._last: Message | None = None
        self._pause: Pause | None = None
        self._lingering = False

    def stop(self, cause: StopCause) -> None:
        """End this attempt; the first cause counts."""
        if self._stop_cause is not None:
            return
        self._stop_cause = cause
        if self._sandbox is not None:
            self._stop_sandbox(self._sandbox, cause)
        elif self._preparing is not None and not self._preparing.expired():
            self._preparing.reschedule(asyncio.get_running_loop().time())
            self._later(STOP_SECONDS, self._condemn)

    async def execute(self) -> None:
        """Run the attempt to its end and report it; a defect of AO is reported as a lost attempt."""
        try:
            outcome = await self._outcome()
        except Exception as error:
            log.exception("attempt crashed", run=self.claim.run_id)
            await self._end_sandbox()
            outcome = lost(f"internal error of AO: {error!r}")
        finally:
            self._end_timers()
            if self._gpus:
                await self._bench.devices.give_back(self._gpus)
            await self._desk.close()
        events = await self._recorder.close()
        reporter = Reporter(self._bench.store, self._bench.bus, self._bench.payloads, self.claim)
        if outcome.kind is OutcomeKind.LOST and self._stop_cause is StopCause.LEASE:
            return  # its new owner has it
        if outcome.kind is OutcomeKind.LOST and self._stop_cause is StopCause.SHUTDOWN:
            await reporter.hand_back(events)
        else:
            session = None if self._session is None else self._session.last_write
            await reporter.finish(self._redacted(outcome), events, session)

    async def _outcome(self) -> AttemptOutcome:
        try:
            async with asyncio.timeout(PREPARE_SECONDS) as self._preparing:
                if self._stop_cause is not None:
                    return self._stopped(self._stop_cause)
                resolved, sandbox = await self._prepare()
        except (StorageFull, StorageClosed) as error:
            return self._hand_back(error)
        except (AoError, TimeoutError) as error:
            self._preparing = None
            return await self._not_started(error)
        finally:
            self._preparing = None
        return await self._run(resolved, sandbox)

    async def _prepare(self) -> tuple[Resolved, Sandbox]:
        """Resolve and start. What only needs time is waited for; space on the disk others may have now."""
        while True:
            try:
                with refusals_told():
                    resolved = await self._resolve()
                    await self._provide(resolved.spec)
                    return resolved, await self._start(await self._with_gpus(resolved))
            except (StorageFull, StorageClosed):
                raise
            except Unavailable as error:
                log.warning("attempt cannot start yet", run=self.claim.run_id, error=str(error))
                await asyncio.sleep(RETRY_SECONDS)

    async def _resolve(self) -> Resolved:
        resolved = await self._bench.resolver.resolve(self.claim)
        self._output.redact = self._desk.redact = resolved.redact
        if resolved.session is not None:
            attendance = self._bench.resolver.attendance
            self._session = SessionDesk(attendance, resolved.session, self._answer)
            self._desk.session = self._session
        return resolved

    async def _provide(self, spec: SandboxSpec) -> None:
        """An image that has to be built first has its own time limit."""
        if spec.dockerfile is None:
            return
        if self._preparing is not None and self._stop_cause is None:
            self._preparing.reschedule(self._begun + IMAGE_SECONDS)
        await self._bench.executor.provide(spec, self._output.say)

    async def _with_gpus(self, resolved: Resolved) -> SandboxSpec:
        count = resolved.config.resources.gpu
        if not count:
            return resolved.spec
        self._gpus = self._gpus or await self._bench.devices.take(count)
        return replace(resolved.spec, gpus=self._gpus)

    async def _start(self, spec: SandboxSpec) -> Sandbox:
        self._lost = self._bench.executor.lost
        overdue = asyncio.get_running_loop().call_later(START_SECONDS, self._condemn)
        try:
            return await self._bench.executor.start(spec)
        finally:
            overdue.cancel()

    def _hand_back(self, error: StorageFull | StorageClosed) -> AttemptOutcome:
        """Without blame: another worker's disk may do, and this one takes nothing until its own does."""
        self._bench.room.lacking(error)
        self._output.say(f"the worker hands the run back: {self._bench.room.hold}")
        self._stop_cause = self._stop_cause or StopCause.SHUTDOWN
        return self._stopped(self._stop_cause)

    async def _not_started(self, error: AoError | TimeoutError) -> AttemptOutcome:
        if self._stop_cause is not None:
            return self._stopped(self._stop_cause)
        if isinstance(error, TimeoutError):
            error = SandboxError(f"release and sandbox were not ready within {PREPARE_SECONDS:.0f} s")
        log.warning("attempt not started", run=self.claim.run_id, error=self._output.redact(error.message))
        if isinstance(error, SandboxError) and await self._supervisor_died():
            return lost("the sandbox supervisor died while the run was starting")
        return AttemptOutcome(
            OutcomeKind.SANDBOX,
            error=ErrorInfo(OutcomeKind.SANDBOX, error.message, hint=error.hint),
            permanent=isinstance(error, InvalidInput),  # overrides that do not fit what is live now
        )

    async def _supervisor_died(self) -> bool:
        """Whether it took the sandbox with it. Its end is known a moment after its sandboxes fail."""
        try:
            async with asyncio.timeout(LOST_SECONDS):
                await self._lost.wait()
        except TimeoutError:
            return False
        return True

    async def _run(self, resolved: Resolved, sandbox: Sandbox) -> AttemptOutcome:
        self._sandbox = sandbox
        if self._stop_cause is not None:
            self._stop_sandbox(sandbox, self._stop_cause)
        self._output.left = resolved.config.resources.output
        seconds, cause = time_limit(resolved.config, self.claim.active_us)
        self._later(seconds, self.stop, cause)
        outcome = classify(await self._stream(sandbox), sandbox.info.level)
        if outcome.kind is OutcomeKind.TIMEOUT and self._overrun is not None:
            outcome = replace(outcome, error=overran(*self._overrun))
        if outcome.kind is OutcomeKind.LIMIT and self._nonsense and outcome.error is not None:
            message = f"{outcome.error.message}: {self._nonsense}"
            outcome = replace(outcome, error=replace(outcome.error, message=message))
        return outcome

    async def _stream(self, sandbox: Sandbox) -> Ending:
        self._recorder.event(
            EventKind.ATTEMPT_STARTED,
            self._bench.clock.now_us(),
            {
                "version": self.claim.version,
                "sandbox": str(sandbox.info.level),
                "degraded": list(sandbox.info.degraded),
                "namespaces": dict(sandbox.info.namespaces),
                "warm": sandbox.info.warm,
                "why_cold": sandbox.info.why_cold,
            },
        )
        try:
            self._read(self._converse(sandbox))
            self._later(QUICK_SECONDS, self._pump_both, sandbox)
            exit_ = await self._end_of(sandbox)
            await self._read_out(sandbox)
        finally:
            for reader in self._readers:
                reader.cancel()
        self._output.say_what_was_dropped()
        exit_ = replace(exit_, cause=None) if self._lingering else exit_
        return Ending(self._last, exit_, self._pause, self._desk.under_way)

    def _read(self, reading: Coroutine[None, None, None]) -> None:
        reader = asyncio.create_task(reading, name=f"reading of {self.claim.run_id}")
        self._readers.append(reader)
        reader.add_done_callback(self._on_read)

    def _on_read(self, reader: asyncio.Task[None]) -> None:
        """A reader that crashed ends the attempt."""
        if not reader.cancelled() and (error := reader.exception()) is not None:
            self._crashed(error)

    def _crashed(self, error: BaseException) -> None:
        if not self._exit.done():
            self._exit.set_exception(error)

    def _pump_both(self, sandbox: Sandbox) -> None:
        if not self._pumping:
            self._pumping = True
            self._read(self._output.pump("stdout", sandbox.read_stdout))
            self._read(self._output.pump("stderr", sandbox.read_stderr))

    async def _end_of(self, sandbox: Sandbox) -> SandboxExit:
        """How it ended. When its supervisor did, it is gone too, whether it says so or not."""
        self._exit = asyncio.get_running_loop().create_future()
        sandbox.ended.add_done_callback(self._on_ended)
        with self._bench.supervision.watched(self._on_supervisor_lost):
            if self._lost.is_set():
                self._on_supervisor_lost()
            try:
                return await self._exit
            finally:
                self._end_timers()

    def _on_ended(self, ended: asyncio.Future[SandboxExit]) -> None:
        if not self._exit.done():
            self._exit.set_result(ended.result())

    def _on_supervisor_lost(self) -> None:
        self._later(LOST_SECONDS, self._presume_gone)

    def _presume_gone(self) -> None:
        if not self._exit.done():
            self._exit.set_result(SandboxExit(None, 9, StopCause.LOST))

    async def _read_out(self, sandbox: Sandbox) -> None:
        """Wait for the rest of the output; a store that is full or away may hold it up, nothing else."""
        if self._seen_off and not self._pumping:
            return await self._output.rest(sandbox.read_stdout, sandbox.read_stderr)
        self._pump_both(sandbox)
        left = {reader for reader in self._readers if not reader.done()}
        while left:
            _, left = await asyncio.wait(left, timeout=READ_SECONDS)
            if left and self._recorder.has_room:
                log.error("output of a sandbox that is gone does not end", run=self.claim.run_id)
                break
        for reader in self._readers:
            if reader.done():
                reader.result()

    async def _answer(self, message: Message) -> None:
        if self._sandbox is not None:
            await self._sandbox.send(message)

    def _step_overran(self, path: str, seconds: float) -> None:
        self._overrun = self._overrun or (path, seconds)
        self.stop(StopCause.TIMEOUT)

    async def _converse(self, sandbox: Sandbox) -> None:
        """Take the runner's messages; the first `result`, `error` or `pause` is its last word."""
        try:
            await self._take_messages(sandbox)
        except ProtocolError as error:
            log.warning("the runner's socket carries nonsense", run=self.claim.run_id, error=str(error))
            self._nonsense = str(error)
            await sandbox.stop(StopCause.PROTOCOL)

    async def _take_messages(self, sandbox: Sandbox) -> None:
        while (message := await sandbox.receive()) is not None:
            if message["type"] in ("result", "error", "pause") and self._last is None:
                if message["type"] == "pause":
                    self._pause = self._desk.pause(message)
                if self._session is not None:
                    self._session.last_word(message)
                self._last = self._said(message) if message["type"] == "error" else message
                self._later(LINGER_SECONDS, self._end_lingering)
            elif message["type"] == "over" and self._may_end(sandbox):
                see_off(sandbox, self.claim.run_id, self._condemn)
                self._seen_off = True
                self._exit.set_result(exit_as_told(message))
                return
            elif message["type"] == "partial":
                self._output.partial(message.get("value"))
                await self._recorder.room()
            elif self._desk.take(message):
                await self._desk.room()
            elif self._session is not None and self._session.takes(message):
                await self._session.take(message)

    def _may_end(self, sandbox: Sandbox) -> bool:
        """A child that leaves nothing behind has ended when it says so: its exit takes as long as many runs."""
        stays = self._session is not None or self._stop_cause is not None or self._exit.done()
        return sandbox.info.warm and not stays and self._last is not None and self._last["type"] == "result"

    def _said(self, error: Message) -> Message:
        """The runner's `error` without secrets, before any of it is cut short."""
        quoted = ("message", "traceback", "hint", "error_type")
        return error | {name: self._output.redact(str(error[name])) for name in quoted if error.get(name)}

    def _stop_sandbox(self, sandbox: Sandbox, cause: StopCause) -> None:
        gone = self._exit.done() and self._exit.exception() is None
        if self._stopping is None and not gone:
            self._stopping = asyncio.create_task(sandbox.stop(cause), name=f"stop {self.claim.run_id}")
            self._later(STOP_SECONDS, self._condemn)

    def _end_lingering(self) -> None:
        if self._stop_cause is None and self._sandbox is not None:
            self._lingering = True
            self._stop_sandbox(self._sandbox, StopCause.TIMEOUT)

    async def _end_sandbox(self) -> None:
        """After a defect: nothing of the attempt may go on."""
        if self._sandbox is not None:
            self._stop_sandbox(self._sandbox, StopCause.SHUTDOWN)
            self._later(STOP_SECONDS, self._condemn)
            await self._end_of(self._sandbox)

    def _condemn(self) -> None:
        self._bench.supervision.condemn("a sandbox does not end", run=self.claim.run_id)

    def _later(self, seconds: float, call: Callable[..., None], *args: object) -> None:
        self._timers.append(asyncio.get_running_loop().call_later(seconds, call, *args))

    def _end_timers(self) -> None:
        for timer in self._timers:
            timer.cancel()

    def _stopped(self, cause: StopCause) -> AttemptOutcome:
        """The outcome of an attempt that was stopped before it had a sandbox."""
        return classify(Ending(None, SandboxExit(None, 9, cause)), "")

    def _redacted(self, outcome: AttemptOutcome) -> AttemptOutcome:
        """AO's own words may quote the agent's."""
        if outcome.error is None:
            return outcome
        message, hint = self._output.redact(outcome.error.message), self._output.redact(outcome.error.hint)
        return replace(outcome, error=replace(outcome.error, message=message, hint=hint))
