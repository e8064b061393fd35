"""Accepting runs, following them and cancelling them."""

import hashlib
import random
import time
from collections.abc import Sequence

import jsonschema_rs
from pydantic import JsonValue

from ao.blobs import BlobStore
from ao.bus import CANCEL, DELAYED, READY, Bus, announce, state_topic
from ao.control import audit
from ao.control.assistants import Assistants
from ao.control.backpressure import Backpressure
from ao.control.catalog import Catalog
from ao.control.concurrency import share_of
from ao.control.payloads import Payloads, dump
from ao.control.session_use import announce_cancelled, gates_of, session_of
from ao.control.targets import Target
from ao.control.waiting import why_pending
from ao.control.webhooks import Webhooks
from ao.domain.errors import InvalidInput, Problem, QueueFull
from ao.domain.event import Event, EventKind
from ao.domain.run import RunState
from ao.ids import RunId, new_run_id
from ao.store import Store
from ao.store.records import Attempt, Created, NewRun, Payload, Run, RunFilter, Webhook
from ao.wire.schemas import RunCreate

FIRST_LOOK_SECONDS = 0.1
POLL_SECONDS = 5.0
"""How long a waiter trusts hints before it looks by itself."""


class Runs:
    def __init__(
        self,
        store: Store,
        blobs: BlobStore,
        bus: Bus,
        catalog: Catalog,
        assistants: Assistants,
        webhooks: Webhooks,
        backpressure: Backpressure,
    ) -> None:
        self._store = store
        self._payloads = Payloads(blobs)
        self._bus = bus
        self._catalog = catalog
        self._assistants = assistants
        self._webhooks = webhooks
        self._backpressure = backpressure

    async def create(self, request: RunCreate, actor: str, lineage: RunId | None = None) -> tuple[Run, bool]:
        """Accept a run and look at it: (the run, whether it is new). Raises as `accept` does."""
        created = await self.accept(request, actor, lineage)
        return await self._store.runs.get(created.run_id), created.is_new

    async def accept(self, request: RunCreate, actor: str, lineage: RunId | None = None) -> Created:
        """Accept a run. It is durable when this returns. `lineage` is the first run of the line that it goes
        on.

        Raises NotFound (agent, assistant, version), Conflict (nothing live, an archived assistant),
        InvalidInput (an `input_schema`), IdempotencyConflict, QueueFull, SessionBusy.
        """
        target = await self._target(request)
        check_input(request.input, target.validator, f"assistant {target.assistant}")
        check_input(request.input, self._catalog.input_validator(target.deployment))
        concurrency = self._catalog.concurrency(target.deployment)
        share = share_of(target.agent, concurrency, request.concurrency_key, request.input)
        text = dump(request.input)
        session = session_of(request)
        await self._admit(target.agent, request.idempotency_key)
        webhook = None
        if request.webhook is not None:
            await self._webhooks.check(target.agent, request.webhook.url, request.webhook.secret)
            webhook = Webhook(request.webhook.url, request.webhook.secret)
        new = NewRun(
            id=new_run_id(),
            agent=target.agent,
            environment=target.environment,
            input=await self._payloads.keep(text, "input"),
            actor=actor,
            deployment_id=target.deployment.id if target.pinned else None,
            idempotency_key=request.idempotency_key,
            request_hash=_request_hash(request, target, text) if request.idempotency_key else "",
            priority=request.priority,
            queue_seconds=self._catalog.queue_seconds(target.deployment),
            webhook=webhook,
            lineage=lineage,
            session=session,
            assistant=target.assistant,
            assistant_version=target.assistant_version,
            concurrency_key=share.key,
            gates=[*share.gates, *gates_of(target.agent, session)],
            placement=self._catalog.placement(target.deployment, target.overrides),
        )
        told = self._store.in_order and new.idempotency_key is None and session is None
        if told:
            self._bus.publish(READY)  # now: the claim comes into the same commit
        created = await self._store.runs.create(new)
        if created.is_new:
            if not told:
                self._bus.publish(READY)
            if new.queue_seconds is not None:
                self._bus.publish(DELAYED)
        announce_cancelled(self._bus, created.cancelled)
        return created

    async def _admit(self, agent: str, idempotency_key: str | None) -> None:
        """Raises QueueFull. A request that was accepted before is no new run: its key finds it again."""
        try:
            await self._backpressure.admit(agent)
        except QueueFull:
            if idempotency_key is None or await self._store.runs.of_key(agent, idempotency_key) is None:
                raise

    async def agent_asked_for(self, request: RunCreate) -> str:
        """The agent that would run. NotFound for an assistant that is not there."""
        return request.agent or await self._assistants.agent_of(request.assistant or "")

    async def _target(self, request: RunCreate) -> Target:
        if request.assistant is not None:
            return await self._assistants.target(request.assistant, request.assistant_version)
        agent = request.agent or ""
        deployment = await self._catalog.resolve(agent, request.environment, request.version)
        return Target(agent, request.environment, deployment, request.version is not None)

    async def asked_of(self, run: Run) -> tuple[str | None, Webhook | None]:
        """What a run was asked for beside its target, input, session and priority: its concurrency key, unless
        that comes from the input, and whom its end is told."""
        webhook = await self._store.webhooks.of_run(run.id)
        if run.concurrency_key is None or run.deployment_id is None:
            return run.concurrency_key, webhook
        concurrency = self._catalog.concurrency(await self._store.deployments.get_by_id(run.deployment_id))
        share = share_of(run.agent, concurrency, None, await self.payload(run.input))
        return None if share.key == run.concurrency_key else run.concurrency_key, webhook

    async def get(self, run_id: RunId) -> Run:
        return await self._store.runs.get(run_id)

    async def agent_of(self, run_id: str) -> str:
        return (await self._store.runs.get(RunId(run_id))).agent

    async def list(self, where: RunFilter, limit: int) -> Sequence[Run]:
        return await self._store.runs.list(where, limit)

    async def attempts(self, run_id: RunId) -> Sequence[Attempt]:
        await self._store.runs.get(run_id)
        return await self._store.runs.attempts(run_id)

    async def events(self, run_id: RunId, after: int, limit: int) -> Sequence[Event]:
        """Events with a seq above `after`; where some were removed, the first one says so."""
        events = await self._store.runs.events(run_id, after, limit)
        if not events or events[0].seq == after + 1:
            return events
        first = events[0]
        return [Event(first.seq - 1, EventKind.TRUNCATED, first.at_us, {"from": after + 1}), *events]

    async def wait(self, run_id: RunId, seconds: float, *, accepted_now: bool = False) -> Run:
        """The run as soon as it is terminal, or as it is after `seconds`. One that was accepted a moment ago
        has hardly ended: a hint is waited for before the first look."""
        deadline = time.monotonic() + seconds
        with self._bus.subscribe(state_topic(run_id)) as hints:
            if accepted_now:
                await hints.wait(min(seconds, FIRST_LOOK_SECONDS))
            while True:
                run = await self._store.runs.get(run_id)
                left = deadline - time.monotonic()
                if run.head.state.terminal or left <= 0:
                    return run
                await hints.wait(min(left, POLL_SECONDS * random.uniform(0.5, 1.0)))  # noqa: S311

    async def cancel(self, run_id: RunId, actor: str) -> Run:
        """Cancel a run; one that has ended is returned as it is."""
        entry = audit.entry(actor, "run.cancel", f"run:{run_id}", await self.agent_of(run_id))
        result = await self._store.runs.cancel(run_id, actor, entry)
        if result.state is RunState.RUNNING:
            self._bus.publish(CANCEL)
        else:
            announce(self._bus, run_id)
        if result.others_claimable:
            self._bus.publish(READY)
        return await self._store.runs.get(run_id)

    async def payload(self, payload: Payload | None) -> JsonValue:
        return await self._payloads.value(payload)

    async def why_pending(self, run: Run) -> str | None:
        """A sentence that says what a pending run is waiting for; None when it is not pending."""
        if run.head.state is not RunState.PENDING:
            return None
        waiting = await self._store.runs.waiting(run.id)
        return None if waiting is None else why_pending(run, waiting)


def check_input(value: JsonValue, validator: jsonschema_rs.Validator | None, whose: str = "agent") -> None:
    if validator is None:
        return
    problems = [
        Problem(".".join(["input", *map(str, error.instance_path)]), error.message)
        for error in validator.iter_errors(value)
    ]
    if problems:
        first = problems[0]
        raise InvalidInput(
            f"the input does not match the {whose}'s input_schema: {first.field}: {first.message}",
            hint=_WHERE_SCHEMAS_ARE[whose == "agent"],
            problems=problems,
        )


_WHERE_SCHEMAS_ARE = ("`ao assistants show` prints it", "compare it with `input_schema` in the agent's ao.toml")


def _request_hash(request: RunCreate, target: Target, input_text: str) -> str:
    asked = dump([target.agent, target.environment, request.version, request.priority])
    if target.assistant is not None:
        asked += dump([target.assistant, request.assistant_version])
    if request.session is not None:
        asked += dump([request.session, request.on_overlap])
    if request.webhook is not None:
        asked += dump(request.webhook.model_dump())
    if request.concurrency_key is not None:
        asked += dump({"concurrency_key": request.concurrency_key})
    return hashlib.sha256(f"{asked}\n{input_text}".encode("utf-8", "surrogatepass")).hexdigest()
