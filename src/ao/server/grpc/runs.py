"""`ao.v1.RunService`: runs, their events, steps and logs."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from ao.bus import run_topic
from ao.domain.event import Event
from ao.server.grpc.messages import numbers_of, set_instant, to_json, write
from ao.server.grpc.methods import PART_BYTES, Call, Method, Service, answer, fitting, items
from ao.server.grpc.requests import OfRun
from ao.server.operations.replays import ReplayOperations
from ao.server.operations.runs import (
    EventsQuery,
    JoinQuery,
    LogsQuery,
    RunOperations,
    RunsQuery,
    SearchQuery,
    WaitQuery,
)
from ao.server.operations.steps import StepOperations, StepsQuery
from ao.server.routes.parameters import After
from ao.server.run_events import RunEvents
from ao.server.services import Services
from ao.server.stream import follow
from ao.store.records import Run
from ao.v1 import runs_pb2 as pb
from ao.wire.live import Disconnect, RunLive
from ao.wire.replays import ForkRequest, ReplayRequest
from ao.wire.schemas import RunCreate, RunView

_KINDS = cast("Mapping[str, pb.EventKind]", numbers_of(pb.EventKind.DESCRIPTOR))


class CreateRun(WaitQuery, RunCreate):
    """Of a run that goes on by itself."""


class StreamRun(RunLive):
    after: After = 0


class WatchRun(OfRun, JoinQuery):
    """Events of a run that is there."""


class GetRun(OfRun, WaitQuery):
    """One run."""


class ListEvents(OfRun, EventsQuery):
    """Events that are there."""


class ListSteps(OfRun, StepsQuery):
    """Steps of a run."""


class GetLogs(OfRun, LogsQuery):
    """Lines of a run."""


class SearchLogs(OfRun, SearchQuery):
    """Lines of a run that match."""


class ForkRun(OfRun, ForkRequest):
    """Which run, from where."""


class ReplayRun(OfRun, ReplayRequest):
    """Which run, from where."""


def run_service(services: Services) -> Service:
    own = _Runs(services)
    runs = RunOperations(services)
    return {
        "CreateRun": Method("create_run", CreateRun, own.create, waits=True),
        "RunAndWait": Method("create_run_wait", RunLive, own.run_and_wait, waits=True),
        "StreamRun": Method("create_run_stream", StreamRun, own.stream, waits=True),
        "WatchRun": Method("get_run_stream", WatchRun, own.watch, waits=True),
        "GetRun": Method("get_run", GetRun, answer(lambda _, asked: runs.get(asked.run_id, asked.wait))),
        "ListRuns": Method("list_runs", RunsQuery, answer(runs.list)),
        "CancelRun": Method(
            "cancel_run", OfRun, answer(lambda caller, asked: runs.cancel(caller, asked.run_id))
        ),
        "ListEvents": Method("get_run_events", ListEvents, own.events),
        "ListAttempts": Method("list_run_attempts", OfRun, items(lambda _, asked: runs.attempts(asked.run_id))),
        "ListSteps": Method("list_run_steps", ListSteps, own.steps),
        "GetLogs": Method("get_run_logs", GetLogs, own.logs),
        "SearchLogs": Method(
            "search_run_logs", SearchLogs, answer(lambda _, asked: runs.search(asked.run_id, asked))
        ),
        "ForkRun": Method("fork_run", ForkRun, own.fork),
        "ReplayRun": Method("replay_run", ReplayRun, own.replay),
    }


@dataclass(frozen=True, slots=True)
class Created:
    run: RunView
    created: bool


@dataclass(frozen=True, slots=True)
class Remade:
    run: RunView
    warnings: Sequence[str]


class _Runs:
    """The methods that are more than one operation's answer."""

    def __init__(self, services: Services) -> None:
        self._runs = services.runs
        self._operations = RunOperations(services)
        self._steps = StepOperations(services)
        self._replays = ReplayOperations(services)
        self._bus = services.bus
        self._closing = services.closing

    async def create(self, call: Call, asked: CreateRun) -> Created:
        created = await call.finish(self._operations.accept(call.caller, asked))
        return Created(await self._operations.accepted(created, asked, asked.wait), created.is_new)

    async def run_and_wait(self, call: Call, asked: RunLive) -> RunView:
        """The end of the server answers with the run as it is: trying again could make another one."""
        run = await call.finish(self._begin(call, asked))
        await call.announce(run.id)
        try:
            async with self._closing.interruptible():
                run = await self._runs.wait(run.id, math.inf, accepted_now=True)
        except TimeoutError:
            run = await self._runs.get(run.id)
        return await self._operations.view(run)

    async def stream(self, call: Call, asked: StreamRun) -> None:
        run = await call.finish(self._begin(call, asked))
        await self._follow(call, run, asked.after)

    async def watch(self, call: Call, asked: WatchRun) -> None:
        run = await self._operations.join(call.caller, asked.run_id, asked.on_disconnect)
        self._heed(call, run, asked.on_disconnect)
        await self._follow(call, run, asked.after)

    async def events(self, _call: Call, asked: ListEvents) -> pb.ListEventsResponse:
        found = await self._operations.events(asked.run_id, asked.after, asked.limit)
        some, complete = fitting(map(_event, found), len(found) < asked.limit)
        return pb.ListEventsResponse(items=some, complete=complete)

    async def steps(self, _call: Call, asked: ListSteps) -> pb.ListStepsResponse:
        found = await self._steps.list(asked.run_id, asked)
        messages = (write(step, pb.Step) for step in found)
        some, complete = fitting(messages, len(found) < asked.limit)
        return pb.ListStepsResponse(items=some, complete=complete)

    async def fork(self, call: Call, asked: ForkRun) -> Remade:
        view = await self._replays.fork(call.caller, asked.run_id, asked)
        return Remade(view, view.warnings)

    async def replay(self, call: Call, asked: ReplayRun) -> Remade:
        view = await self._replays.replay(call.caller, asked.run_id, asked)
        return Remade(view, view.warnings)

    async def logs(self, call: Call, asked: GetLogs) -> None:
        while lines := await self._operations.logs(asked.run_id, asked):
            for some in _in_parts(write(line, pb.LogLine) for line in lines):
                await call.send(pb.LogLines(items=some))
            if asked.tail is not None or asked.before is not None:
                return
            asked = asked.model_copy(update={"after": lines[-1].seq})

    async def _begin(self, call: Call, asked: RunLive) -> Run:
        run = await self._operations.begin(call.caller, asked)
        self._heed(call, run, asked.on_disconnect)
        return run

    def _heed(self, call: Call, run: Run, policy: Disconnect) -> None:
        if policy == "cancel":
            call.when_gone(lambda: self._runs.cancel(run.id, call.caller.actor))

    async def _follow(self, call: Call, run: Run, after: int) -> None:
        async def send(updates: Sequence[pb.RunUpdate]) -> None:
            for update in updates:
                await call.send(update)

        await call.announce(run.id)
        source = RunEvents(self._runs, run, lambda event: pb.RunUpdate(event=_event(event)), _end)
        await follow(source.read, after, self._bus, run_topic(run.id), send)


def _event(event: Event) -> pb.Event:
    message = pb.Event(seq=event.seq, kind=_KINDS.get(event.kind), data_json=to_json(event.data))
    set_instant(message.at, event.at_us)
    return message


def _end(run: Run) -> pb.RunUpdate:
    return pb.RunUpdate(end=pb.RunEnd(run_id=run.id, state=f"RUN_STATE_{run.head.state.upper()}"))


def _in_parts(lines: Iterable[pb.LogLine]) -> Iterator[list[pb.LogLine]]:
    size, some = 0, list[pb.LogLine]()
    for line in lines:
        size += line.ByteSize()
        some.append(line)
        if size > PART_BYTES:
            yield some
            size, some = 0, []
    if some:
        yield some
