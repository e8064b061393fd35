"""`ao.store.Store` over one engine."""

from ao.store.sql.agenda import SqlAgendaStore
from ao.store.sql.agents import SqlAgentStore
from ao.store.sql.assistants import SqlAssistantStore
from ao.store.sql.audit import SqlAuditStore
from ao.store.sql.dead_letters import SqlDeadLetterStore
from ao.store.sql.deployments import SqlDeploymentStore
from ao.store.sql.engine import Engine
from ao.store.sql.gates import SqlGateStore
from ao.store.sql.insights import SqlInsightStore
from ao.store.sql.keys import SqlKeyStore
from ao.store.sql.logins import SqlLoginStore
from ao.store.sql.logs import SqlLogStore
from ao.store.sql.processes import SqlProcessStore
from ao.store.sql.questions import SqlQuestionStore
from ao.store.sql.retention import SqlRetentionStore
from ao.store.sql.runs import SqlRunStore
from ao.store.sql.schedules import SqlScheduleStore
from ao.store.sql.secrets import SqlSecretStore
from ao.store.sql.sessions import SqlSessionStore
from ao.store.sql.sizes import SqlSizeStore
from ao.store.sql.steps import SqlStepStore
from ao.store.sql.webhooks import SqlWebhookStore
from ao.store.sql.workers import SqlWorkerStore

_CHECK = """
INSERT INTO meta (key, value) VALUES ('checked_us', CAST(:now AS TEXT))
ON CONFLICT (key) DO UPDATE SET value = excluded.value"""


class SqlStore:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.in_order = engine.in_order
        self.runs = SqlRunStore(engine)
        self.logs = SqlLogStore(engine)
        self.gates = SqlGateStore(engine)
        self.steps = SqlStepStore(engine)
        self.sessions = SqlSessionStore(engine)
        self.dead_letters = SqlDeadLetterStore(engine)
        self.questions = SqlQuestionStore(engine)
        self.workers = SqlWorkerStore(engine)
        self.agenda = SqlAgendaStore(engine)
        self.processes = SqlProcessStore(engine)
        self.deployments = SqlDeploymentStore(engine)
        self.agents = SqlAgentStore(engine)
        self.assistants = SqlAssistantStore(engine)
        self.schedules = SqlScheduleStore(engine)
        self.secrets = SqlSecretStore(engine)
        self.keys = SqlKeyStore(engine)
        self.logins = SqlLoginStore(engine)
        self.audit = SqlAuditStore(engine)
        self.webhooks = SqlWebhookStore(engine)
        self.retention = SqlRetentionStore(engine)
        self.insights = SqlInsightStore(engine)
        self.sizes = SqlSizeStore(engine)

    async def check(self) -> None:
        await self.engine.each(lambda tx: tx.run(_CHECK, {}))
        await self.engine.read(lambda tx: tx.one("SELECT value FROM meta WHERE key = 'checked_us'", {}))

    async def close(self) -> None:
        await self.engine.close()
