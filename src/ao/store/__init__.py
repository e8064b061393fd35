"""The store: every truth of AO, behind one protocol per aggregate.

Contract of every method that writes, on every implementation:

- It is one atomic write; when it returns, the write is durable (SQLite `synchronous=FULL`, Postgres
  `synchronous_commit=on`). There is no public transaction: what must be atomic is one method.
- "Now" is the database's clock, not the caller's.
- A write that names a fence is refused with `StaleWrite` when the run has a newer owner or another state.
- A full disk raises `StorageFull`, an unreachable or busy database `Unavailable`; nothing is half done.
- Cancelling the awaiting task does not undo a write: its outcome is unknown, re-read it.

One contract suite (`ao.testing.store_contract`) runs against every implementation.
"""

from typing import Protocol

from ao.store.access import KeyStore, LoginStore, SecretStore
from ao.store.agenda import AgendaStore
from ao.store.assistants import AssistantStore
from ao.store.audit import AuditStore
from ao.store.dead_letters import DeadLetterStore
from ao.store.deployments import AgentStore, DeploymentStore
from ao.store.gates import GateStore
from ao.store.insights import InsightStore
from ao.store.processes import ProcessStore
from ao.store.retention import RetentionStore
from ao.store.runs import LogStore, RunStore, WorkerStore
from ao.store.schedules import ScheduleStore
from ao.store.sessions import SessionStore
from ao.store.sizes import SizeStore
from ao.store.steps import QuestionStore, StepStore
from ao.store.webhooks import WebhookStore

__all__ = [
    "AgendaStore",
    "AgentStore",
    "AssistantStore",
    "AuditStore",
    "DeadLetterStore",
    "DeploymentStore",
    "GateStore",
    "InsightStore",
    "KeyStore",
    "LogStore",
    "LoginStore",
    "ProcessStore",
    "QuestionStore",
    "RetentionStore",
    "RunStore",
    "ScheduleStore",
    "SecretStore",
    "SessionStore",
    "SizeStore",
    "StepStore",
    "Store",
    "WebhookStore",
    "WorkerStore",
]


class Store(Protocol):
    """All of it. Opened by `ao.wiring`, closed by the one who opened it."""

    in_order: bool
    """A claim that is asked for after a new run finds it, also before that is durable: then both are at once.
    Where this is so, workers are told of a run as soon as it was asked for."""

    @property
    def runs(self) -> RunStore: ...
    @property
    def logs(self) -> LogStore: ...
    @property
    def dead_letters(self) -> DeadLetterStore: ...
    @property
    def questions(self) -> QuestionStore: ...
    @property
    def gates(self) -> GateStore: ...
    @property
    def steps(self) -> StepStore: ...
    @property
    def sessions(self) -> SessionStore: ...
    @property
    def workers(self) -> WorkerStore: ...
    @property
    def agenda(self) -> AgendaStore: ...
    @property
    def processes(self) -> ProcessStore: ...
    @property
    def deployments(self) -> DeploymentStore: ...
    @property
    def agents(self) -> AgentStore: ...
    @property
    def assistants(self) -> AssistantStore: ...
    @property
    def schedules(self) -> ScheduleStore: ...
    @property
    def secrets(self) -> SecretStore: ...
    @property
    def keys(self) -> KeyStore: ...
    @property
    def logins(self) -> LoginStore: ...
    @property
    def audit(self) -> AuditStore: ...
    @property
    def webhooks(self) -> WebhookStore: ...
    @property
    def retention(self) -> RetentionStore: ...
    @property
    def insights(self) -> InsightStore: ...
    @property
    def sizes(self) -> SizeStore: ...

    async def check(self) -> None:
        """A cheap read and a durable write; raises when the store cannot take writes now."""
        ...

    async def close(self) -> None: ...
