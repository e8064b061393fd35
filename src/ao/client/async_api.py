"""The async client: `ao.client.api` with `await`; what both decide stands in the modules they share."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from ao.client import calls, fleet_calls, replay_calls, schedule_calls, wire
from ao.client.assistants import AsyncAssistants
from ao.client.async_handles import AsyncDeployment, AsyncRunHandle
from ao.client.calls import RunRequest
from ao.client.events import Stream
from ao.client.http_async import AsyncHttp
from ao.client.retry import Retry
from ao.client.schedule_calls import BackfillOptions, NewSchedule, ScheduleFields
from ao.client.target import Target, find
from ao.client.wire import Call, LostConnection

if TYPE_CHECKING:
    from ao.client.archives import Archive
    from ao.client.async_sessions import AsyncSessions
    from ao.wire import schemas as s
    from ao.wire.access import AuditView, KeyCreated, KeyView
    from ao.wire.fleet import FleetView
    from ao.wire.replays import DeadLetterGroupView, DeadLetterView, ReplayedView
    from ao.wire.schedules import (
        BackfillView,
        ScheduleDetail,
        ScheduleView,
        TickView,
        TriggeredView,
        UpcomingTick,
    )
    from ao.wire.sizes import SizesView
    from ao.wire.steps import QuestionView
    from ao.wire.webhooks import DeliveryDetail, DeliveryView

T = TypeVar("T")


class AsyncClient:
    """Speaks to one AO server; for one event loop. Every method raises `ao.domain.errors`.

    Without arguments it finds the server of this machine: see `ao.client.target.find`.
    """

    def __init__(self, url: str | None = None, api_key: str | None = None, *, home: Path | None = None) -> None:
        self.target: Target = find(url, api_key, home)
        self._http = AsyncHttp(self.target.url)
        self.assistants = AsyncAssistants(self)

    async def close(self) -> None:
        await self._http.close()

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # --- moving parts ---

    async def send(self, call: Call[T]) -> T:
        """Make a call of `ao.client.calls`; a lost connection is tried again where that is safe."""
        retry = Retry()
        while True:
            try:
                answer = await self._http.send(wire.request(call, self.target))
                return wire.read(call, wire.check_proxy(answer))
            except LostConnection as lost:
                delay = retry.after(call, lost)
                if delay is None:
                    wire.raise_unreachable(self.target, lost)
                await asyncio.sleep(delay)

    async def send_json(self, call: Call[Any]) -> Any:
        """The answer as plain JSON values, without importing the models."""
        return await self.send(wire.as_json(call))

    async def follow(self, stream: Stream[T]) -> AsyncIterator[T]:
        """What a stream yields until it ends, over as many connections as it takes."""
        while not stream.ended:
            reason = "the stream was cut"
            try:
                async with self._http.stream(stream.request(self.target)) as (answer, chunks):
                    stream.check(wire.check_proxy(answer))
                    async for chunk in chunks:
                        for item in stream.feed(chunk):
                            yield item
            except LostConnection as lost:
                reason = str(lost)
            if not stream.ended:
                delay = stream.retry.delay()
                if delay is None:
                    raise wire.unreachable(self.target, reason)
                await asyncio.sleep(delay)

    # --- runs ---

    async def run(
        self,
        agent: str | None = None,
        input: object = None,
        *,
        version: int | None = None,
        idempotency_key: str | None = None,
        priority: int = 0,
        concurrency_key: str | None = None,
        environment: str = "prod",
        wait: float = 0.0,
        webhook: Mapping[str, str] | None = None,
        session: str | None = None,
        on_overlap: str | None = None,
        assistant: str | None = None,
        assistant_version: int | None = None,
    ) -> AsyncRunHandle:
        """Start a run; it is durable when this returns. `wait` seconds (≤ 60) may pass if it is not over.

        Sent again after a lost connection it does not run twice: without a key of yours it gets one.
        `webhook` is told of the end: `{"url": …, "secret": name of the secret that signs}`.
        `session` is the session that the run belongs to, `on_overlap` what to do about others of it that have
        not ended: `enqueue`, `reject`, `interrupt` or `rollback`.
        `assistant` stands in place of `agent`, `version` and `environment`.
        """
        call = calls.create_run(
            agent,
            input,
            idempotency_key=idempotency_key or str(uuid.uuid4()),
            version=version,
            environment=environment,
            priority=priority,
            concurrency_key=concurrency_key,
            wait=wait,
            webhook=webhook,
            session=session,
            on_overlap=on_overlap,
            assistant=assistant,
            assistant_version=assistant_version,
        )
        return AsyncRunHandle(self, await self.send_json(call))

    async def run_and_wait(
        self,
        agent: str | None = None,
        input: object = None,
        *,
        on_disconnect: str = "continue",
        idempotency_key: str | None = None,
        **more: Unpack[RunRequest],
    ) -> AsyncRunHandle:
        """Run an agent and return when it has ended, over one connection. With `on_disconnect="cancel"` the run
        is cancelled when the connection is lost before, such as by the end of this process."""
        key = idempotency_key or str(uuid.uuid4())
        call = calls.create_run_wait(agent, input, on_disconnect, key, **more)
        handle = AsyncRunHandle(self, await self.send_json(call))
        return await handle.wait()  # a server that stops answers before the end

    def stream(
        self,
        agent: str | None = None,
        input: object = None,
        *,
        on_disconnect: str = "continue",
        idempotency_key: str | None = None,
        **more: Unpack[RunRequest],
    ) -> "AsyncIterator[s.EventView]":
        """Run an agent and yield its events until it has ended, over as many connections as it takes."""
        key = idempotency_key or str(uuid.uuid4())
        call = calls.create_run_stream(agent, input, on_disconnect, key, **more)
        return self.follow(Stream(call, calls.event_of))

    async def get_run(self, run_id: str) -> AsyncRunHandle:
        return AsyncRunHandle(self, await self.send_json(calls.get_run(run_id)))

    async def list_runs(
        self,
        *,
        agent: str | None = None,
        assistant: str | None = None,
        state: Sequence[str] = (),
        version: int | None = None,
        session: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> "s.Page[s.RunSummary]":
        """One page, newest first; pass its `next` as `cursor` for the one after."""
        return await self.send(
            calls.list_runs(
                agent=agent,
                assistant=assistant,
                state=state,
                version=version,
                session=session,
                limit=limit,
                cursor=cursor,
            )
        )

    # --- agents and deployments ---

    async def deploy(
        self, path: str | Path = ".", *, message: str = "", upgrade: bool = False
    ) -> AsyncDeployment:
        """Pack and upload a project; its build goes on in the server. `upgrade` resolves dependencies anew.

        Raises InvalidConfig with every mistake in its `ao.toml` before anything is sent.
        """
        # Packing needs pydantic and the project's readers, which no other method does.
        from ao.client.upload import packed  # noqa: PLC0415

        with ExitStack() as stack:
            project = await asyncio.to_thread(stack.enter_context, packed(Path(path)))
            call = calls.create_deployment(project.agent, message, upgrade)
            request = project.request(call, self.target)
            try:
                answer = await self._http.upload(request, project.chunks(), project.size)
            except LostConnection as lost:
                wire.raise_unreachable(self.target, lost)
        return AsyncDeployment(self, wire.read(call, answer), project.warnings)

    async def agents(self) -> "list[s.AgentView]":
        return await self.send(calls.list_agents())

    async def agent(self, name: str) -> "s.AgentView":
        return await self.send(calls.get_agent(name))

    async def deployments(
        self, agent: str, *, limit: int = 50, cursor: str | None = None
    ) -> "s.Page[s.DeploymentView]":
        return await self.send(calls.list_deployments(agent, limit, cursor))

    async def deployment(self, agent: str, version: int) -> AsyncDeployment:
        return AsyncDeployment(self, await self.send(calls.get_deployment(agent, version)))

    async def diff(self, agent: str, before: int, after: int) -> "s.DiffView":
        return await self.send(calls.diff(agent, before, after))

    async def rollback(self, agent: str, to: int | None = None, reason: str = "") -> "s.RollbackView":
        return await self.send(calls.rollback(agent, to, reason))

    async def history(self, agent: str) -> "list[s.PointerMoveView]":
        return await self.send(calls.history(agent))

    @property
    def sessions(self) -> "AsyncSessions":
        """What persists between runs: state, messages, files."""
        from ao.client.async_sessions import AsyncSessions  # noqa: PLC0415 - few need it

        return AsyncSessions(self, self._upload)

    async def _upload(self, call: Call[T], archive: "Archive") -> T:
        """Send a call whose body is an archive."""
        request = archive.request(call, self.target)
        try:
            answer = await self._http.upload(request, archive.chunks(), archive.size)
        except LostConnection as lost:
            wire.raise_unreachable(self.target, lost)
        return wire.read(call, answer)

    # --- the rest ---

    async def questions(
        self, agent: str | None = None, *, all: bool = False, limit: int = 50
    ) -> "list[QuestionView]":
        """What runs wait for people to answer, newest first; `all`: also what is answered or out of time."""
        return (await self.send(calls.list_questions(agent=agent, all=all, limit=limit))).items

    async def dead_letters(self, **where: Any) -> "s.Page[DeadLetterView]":
        """Runs that failed for good; the arguments are those of `ao.client.replay_calls.list_letters`."""
        return await self.send(replay_calls.list_letters(**where))

    async def dead_letter_groups(
        self, agent: str | None = None, *, all: bool = False, limit: int = 50
    ) -> "list[DeadLetterGroupView]":
        """Those that failed alike; `all`: also what was replayed."""
        return await self.send(replay_calls.letter_groups(agent=agent, all=all, limit=limit))

    async def replay_dead_letters(self, agent: str, **how: Any) -> "list[ReplayedView]":
        """New runs of many, of each at most one; the arguments are those of `replay_calls.replay_letters`."""
        return await self.send(replay_calls.replay_letters(agent, **how))

    async def purge_dead_letters(self, older_than_seconds: float, **where: Any) -> int:
        """Forget old ones and what their runs have recorded; how many."""
        return (await self.send(replay_calls.purge_letters(older_than_seconds, **where))).purged

    async def schedules(self, agent: str | None = None) -> "list[ScheduleView]":
        return await self.send(schedule_calls.list_schedules(agent))

    async def schedule(self, agent: str, name: str) -> "ScheduleDetail":
        return await self.send(schedule_calls.get_schedule(agent, name))

    async def create_schedule(self, agent: str, name: str, **fields: Unpack[NewSchedule]) -> "ScheduleDetail":
        """Make a schedule: `cron`, and whatever else of `ao.client.schedule_calls.ScheduleFields`."""
        return await self.send(schedule_calls.create_schedule(agent, name, **fields))

    async def update_schedule(
        self, agent: str, name: str, **fields: Unpack[ScheduleFields]
    ) -> "ScheduleDetail":
        return await self.send(schedule_calls.update_schedule(agent, name, **fields))

    async def delete_schedule(self, agent: str, name: str) -> None:
        await self.send(schedule_calls.delete_schedule(agent, name))

    async def pause_schedule(self, agent: str, name: str, reason: str = "") -> "ScheduleDetail":
        return await self.send(schedule_calls.pause_schedule(agent, name, reason))

    async def resume_schedule(self, agent: str, name: str) -> "ScheduleDetail":
        return await self.send(schedule_calls.resume_schedule(agent, name))

    async def trigger_schedule(self, agent: str, name: str, overlap: str | None = None) -> "TriggeredView":
        """Make a run of it now."""
        return await self.send(schedule_calls.trigger_schedule(agent, name, overlap))

    async def backfill_schedule(
        self, agent: str, name: str, since: str, until: str | None = None, **more: Unpack[BackfillOptions]
    ) -> "BackfillView":
        """Make the runs of past ticks; the options are `limit`, `force` and `dry_run`."""
        return await self.send(schedule_calls.backfill_schedule(agent, name, since, until, **more))

    async def schedule_ticks(self, agent: str, name: str, **where: Any) -> "s.Page[TickView]":
        """What became of its ticks; the arguments are those of `ao.client.schedule_calls.schedule_ticks`."""
        return await self.send(schedule_calls.schedule_ticks(agent, name, **where))

    async def next_ticks(self, agent: str, name: str, count: int = 5) -> "list[UpcomingTick]":
        return await self.send(schedule_calls.next_ticks(agent, name, count))

    async def secrets(self, agent: str | None = None) -> "list[s.SecretView]":
        return await self.send(calls.list_secrets(agent))

    async def set_secret(self, name: str, value: str, agent: str | None = None) -> "s.SecretView":
        return await self.send(calls.set_secret(name, value, agent))

    async def delete_secret(self, name: str, agent: str | None = None) -> None:
        await self.send(calls.delete_secret(name, agent))

    async def create_key(
        self, name: str, role: str, *, agents: Sequence[str] = (), expires_in_seconds: float | None = None
    ) -> "KeyCreated":
        """Make an API key; its text is in the answer only."""
        return await self.send(calls.create_key(name, role, agents, expires_in_seconds))

    async def keys(self) -> "list[KeyView]":
        return await self.send(calls.list_keys())

    async def revoke_key(self, key_id: str) -> "KeyView":
        return await self.send(calls.revoke_key(key_id))

    async def webhooks(self, **where: Any) -> "s.Page[DeliveryView]":
        """Deliveries; the arguments are those of `ao.client.calls.list_webhooks`."""
        return await self.send(calls.list_webhooks(**where))

    async def webhook(self, delivery_id: str) -> "DeliveryDetail":
        """One delivery with every try."""
        return await self.send(calls.get_webhook(delivery_id))

    async def replay_webhook(self, delivery_id: str) -> "DeliveryView":
        """Deliver once more, with the same id."""
        return await self.send(calls.replay_webhook(delivery_id))

    async def audit(self, **where: Any) -> "s.Page[AuditView]":
        """Who changed what; the arguments are those of `ao.client.calls.list_audit`."""
        return await self.send(calls.list_audit(**where))

    async def gc(self, dry_run: bool = False) -> "s.GcView":
        return await self.send(calls.collect_garbage(dry_run))

    async def sizes(self) -> "SizesView":
        """How large what the server keeps is, and how old."""
        return await self.send(calls.sizes())

    async def workers(self) -> "FleetView":
        """The workers with what they execute, and why runs wait for them."""
        return await self.send(fleet_calls.list_workers())

    async def drain_worker(self, worker_id: str) -> "s.WorkerView":
        """Let a worker take nothing more, and end."""
        return await self.send(fleet_calls.drain_worker(worker_id))

    async def status(self) -> "s.StatusView":
        return await self.send(calls.status())
