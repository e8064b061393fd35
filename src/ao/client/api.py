"""The sync client."""

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from ao.client import calls, fleet_calls, replay_calls, schedule_calls, wire
from ao.client.assistants import Assistants
from ao.client.calls import RunRequest
from ao.client.events import Stream
from ao.client.handles import Deployment, RunHandle
from ao.client.http_sync import SyncHttp
from ao.client.retry import Retry
from ao.client.schedule_calls import BackfillOptions, NewSchedule, ScheduleFields
from ao.client.target import Target, find
from ao.client.wire import Call, LostConnection

if TYPE_CHECKING:
    from ao.client.archives import Archive
    from ao.client.sessions import Sessions
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


class Client:
    """Speaks to one AO server; safe to use from many threads. Every method raises `ao.domain.errors`.

    Without arguments it finds the server of this machine: see `ao.client.target.find`.
    """

    def __init__(self, url: str | None = None, api_key: str | None = None, *, home: Path | None = None) -> None:
        self.target: Target = find(url, api_key, home)
        self._http = SyncHttp(self.target.url)
        self.assistants = Assistants(self)

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- moving parts ---

    def send(self, call: Call[T]) -> T:
        """Make a call of `ao.client.calls`; a lost connection is tried again where that is safe."""
        retry = Retry()
        while True:
            try:
                return wire.read(call, wire.check_proxy(self._http.send(wire.request(call, self.target))))
            except LostConnection as lost:
                delay = retry.after(call, lost)
                if delay is None:
                    wire.raise_unreachable(self.target, lost)
                time.sleep(delay)

    def send_json(self, call: Call[Any]) -> Any:
        """The answer as plain JSON values, without importing the models."""
        return self.send(wire.as_json(call))

    def follow(self, stream: Stream[T]) -> Iterator[T]:
        """What a stream yields until it ends, over as many connections as it takes."""
        while not stream.ended:
            reason = "the stream was cut"
            try:
                with self._http.stream(stream.request(self.target)) as (answer, chunks):
                    stream.check(wire.check_proxy(answer))
                    for chunk in chunks:
                        yield from stream.feed(chunk)
            except LostConnection as lost:
                reason = str(lost)
            if not stream.ended:
                delay = stream.retry.delay()
                if delay is None:
                    raise wire.unreachable(self.target, reason)
                time.sleep(delay)

    # --- runs ---

    def run(
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
    ) -> RunHandle:
        """Start a run; it is durable when this returns. `wait` seconds (≤ 60) may pass if it is not over.

        Sent again after a lost connection it does not run twice: without a key of yours it gets one.
        `webhook` is told of the end: `{"url": …, "secret": name of the secret that signs}`.
        `session` is the session that the run belongs to, `on_overlap` what to do about others of it that have
        not ended: `enqueue`, `reject`, `interrupt` or `rollback`.
        `assistant` stands in place of `agent`, `version` and `environment`.
        Runs with the same `concurrency_key` share the agent's limit.
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
        return RunHandle(self, self.send_json(call))

    def run_and_wait(
        self,
        agent: str | None = None,
        input: object = None,
        *,
        on_disconnect: str = "continue",
        idempotency_key: str | None = None,
        **more: Unpack[RunRequest],
    ) -> RunHandle:
        """Run an agent and return when it has ended, over one connection. With `on_disconnect="cancel"` the run
        is cancelled when the connection is lost before, such as by the end of this process."""
        key = idempotency_key or str(uuid.uuid4())
        call = calls.create_run_wait(agent, input, on_disconnect, key, **more)
        handle = RunHandle(self, self.send_json(call))
        return handle.wait()  # a server that stops answers before the end

    def stream(
        self,
        agent: str | None = None,
        input: object = None,
        *,
        on_disconnect: str = "continue",
        idempotency_key: str | None = None,
        **more: Unpack[RunRequest],
    ) -> "Iterator[s.EventView]":
        """Run an agent and yield its events until it has ended, over as many connections as it takes."""
        key = idempotency_key or str(uuid.uuid4())
        call = calls.create_run_stream(agent, input, on_disconnect, key, **more)
        return self.follow(Stream(call, calls.event_of))

    def get_run(self, run_id: str) -> RunHandle:
        return RunHandle(self, self.send_json(calls.get_run(run_id)))

    def list_runs(
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
        return self.send(
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

    def deploy(self, path: str | Path = ".", *, message: str = "", upgrade: bool = False) -> Deployment:
        """Pack and upload a project; its build goes on in the server. `upgrade` resolves dependencies anew.

        Raises InvalidConfig with every mistake in its `ao.toml` before anything is sent.
        """
        # Packing needs pydantic and the project's readers, which no other method does.
        from ao.client.upload import packed  # noqa: PLC0415

        with packed(Path(path)) as project:
            call = calls.create_deployment(project.agent, message, upgrade)
            request = project.request(call, self.target)
            try:
                answer = self._http.upload(request, project.chunks(), project.size)
            except LostConnection as lost:
                wire.raise_unreachable(self.target, lost)
        return Deployment(self, wire.read(call, answer), project.warnings)

    def agents(self) -> "list[s.AgentView]":
        return self.send(calls.list_agents())

    def agent(self, name: str) -> "s.AgentView":
        return self.send(calls.get_agent(name))

    def deployments(
        self, agent: str, *, limit: int = 50, cursor: str | None = None
    ) -> "s.Page[s.DeploymentView]":
        return self.send(calls.list_deployments(agent, limit, cursor))

    def deployment(self, agent: str, version: int) -> Deployment:
        return Deployment(self, self.send(calls.get_deployment(agent, version)))

    def diff(self, agent: str, before: int, after: int) -> "s.DiffView":
        return self.send(calls.diff(agent, before, after))

    def rollback(self, agent: str, to: int | None = None, reason: str = "") -> "s.RollbackView":
        return self.send(calls.rollback(agent, to, reason))

    def history(self, agent: str) -> "list[s.PointerMoveView]":
        return self.send(calls.history(agent))

    @property
    def sessions(self) -> "Sessions":
        """What persists between runs: state, messages, files."""
        from ao.client.sessions import Sessions  # noqa: PLC0415 - few need it

        return Sessions(self, self._upload)

    def _upload(self, call: Call[T], archive: "Archive") -> T:
        """Send a call whose body is an archive."""
        request = archive.request(call, self.target)
        try:
            answer = self._http.upload(request, archive.chunks(), archive.size)
        except LostConnection as lost:
            wire.raise_unreachable(self.target, lost)
        return wire.read(call, answer)

    # --- the rest ---

    def questions(
        self, agent: str | None = None, *, all: bool = False, limit: int = 50
    ) -> "list[QuestionView]":
        """What runs wait for people to answer, newest first; `all`: also what is answered or out of time."""
        return self.send(calls.list_questions(agent=agent, all=all, limit=limit)).items

    def dead_letters(self, **where: Any) -> "s.Page[DeadLetterView]":
        """Runs that failed for good; the arguments are those of `ao.client.replay_calls.list_letters`."""
        return self.send(replay_calls.list_letters(**where))

    def dead_letter_groups(
        self, agent: str | None = None, *, all: bool = False, limit: int = 50
    ) -> "list[DeadLetterGroupView]":
        """Those that failed alike; `all`: also what was replayed."""
        return self.send(replay_calls.letter_groups(agent=agent, all=all, limit=limit))

    def replay_dead_letters(self, agent: str, **how: Any) -> "list[ReplayedView]":
        """New runs of many, of each at most one; the arguments are those of `replay_calls.replay_letters`."""
        return self.send(replay_calls.replay_letters(agent, **how))

    def purge_dead_letters(self, older_than_seconds: float, **where: Any) -> int:
        """Forget old ones and what their runs have recorded; how many."""
        return self.send(replay_calls.purge_letters(older_than_seconds, **where)).purged

    def schedules(self, agent: str | None = None) -> "list[ScheduleView]":
        return self.send(schedule_calls.list_schedules(agent))

    def schedule(self, agent: str, name: str) -> "ScheduleDetail":
        return self.send(schedule_calls.get_schedule(agent, name))

    def create_schedule(self, agent: str, name: str, **fields: Unpack[NewSchedule]) -> "ScheduleDetail":
        """Make a schedule: `cron`, and whatever else of `ao.client.schedule_calls.ScheduleFields`."""
        return self.send(schedule_calls.create_schedule(agent, name, **fields))

    def update_schedule(self, agent: str, name: str, **fields: Unpack[ScheduleFields]) -> "ScheduleDetail":
        return self.send(schedule_calls.update_schedule(agent, name, **fields))

    def delete_schedule(self, agent: str, name: str) -> None:
        self.send(schedule_calls.delete_schedule(agent, name))

    def pause_schedule(self, agent: str, name: str, reason: str = "") -> "ScheduleDetail":
        return self.send(schedule_calls.pause_schedule(agent, name, reason))

    def resume_schedule(self, agent: str, name: str) -> "ScheduleDetail":
        return self.send(schedule_calls.resume_schedule(agent, name))

    def trigger_schedule(self, agent: str, name: str, overlap: str | None = None) -> "TriggeredView":
        """Make a run of it now."""
        return self.send(schedule_calls.trigger_schedule(agent, name, overlap))

    def backfill_schedule(
        self, agent: str, name: str, since: str, until: str | None = None, **more: Unpack[BackfillOptions]
    ) -> "BackfillView":
        """Make the runs of past ticks; the options are `limit`, `force` and `dry_run`."""
        return self.send(schedule_calls.backfill_schedule(agent, name, since, until, **more))

    def schedule_ticks(self, agent: str, name: str, **where: Any) -> "s.Page[TickView]":
        """What became of its ticks; the arguments are those of `ao.client.schedule_calls.schedule_ticks`."""
        return self.send(schedule_calls.schedule_ticks(agent, name, **where))

    def next_ticks(self, agent: str, name: str, count: int = 5) -> "list[UpcomingTick]":
        return self.send(schedule_calls.next_ticks(agent, name, count))

    def secrets(self, agent: str | None = None) -> "list[s.SecretView]":
        return self.send(calls.list_secrets(agent))

    def set_secret(self, name: str, value: str, agent: str | None = None) -> "s.SecretView":
        return self.send(calls.set_secret(name, value, agent))

    def delete_secret(self, name: str, agent: str | None = None) -> None:
        self.send(calls.delete_secret(name, agent))

    def create_key(
        self, name: str, role: str, *, agents: Sequence[str] = (), expires_in_seconds: float | None = None
    ) -> "KeyCreated":
        """Make an API key; its text is in the answer only."""
        return self.send(calls.create_key(name, role, agents, expires_in_seconds))

    def keys(self) -> "list[KeyView]":
        return self.send(calls.list_keys())

    def revoke_key(self, key_id: str) -> "KeyView":
        return self.send(calls.revoke_key(key_id))

    def webhooks(self, **where: Any) -> "s.Page[DeliveryView]":
        """Deliveries; the arguments are those of `ao.client.calls.list_webhooks`."""
        return self.send(calls.list_webhooks(**where))

    def webhook(self, delivery_id: str) -> "DeliveryDetail":
        """One delivery with every try."""
        return self.send(calls.get_webhook(delivery_id))

    def replay_webhook(self, delivery_id: str) -> "DeliveryView":
        """Deliver once more, with the same id."""
        return self.send(calls.replay_webhook(delivery_id))

    def audit(self, **where: Any) -> "s.Page[AuditView]":
        """Who changed what; the arguments are those of `ao.client.calls.list_audit`."""
        return self.send(calls.list_audit(**where))

    def gc(self, dry_run: bool = False) -> "s.GcView":
        return self.send(calls.collect_garbage(dry_run))

    def sizes(self) -> "SizesView":
        """How large what the server keeps is, and how old."""
        return self.send(calls.sizes())

    def workers(self) -> "FleetView":
        """The workers with what they execute, and why runs wait for them."""
        return self.send(fleet_calls.list_workers())

    def drain_worker(self, worker_id: str) -> "s.WorkerView":
        """Let a worker take nothing more, and end."""
        return self.send(fleet_calls.drain_worker(worker_id))

    def status(self) -> "s.StatusView":
        return self.send(calls.status())
