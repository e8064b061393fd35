"""What the routes need, as one value; `ao.wiring` fills it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ao.bus import Bus
from ao.control.assistants import Assistants
from ao.control.audit import AuditLog
from ao.control.deployments import Deployments
from ao.control.fleet import Workers
from ao.control.keys import Keys
from ao.control.logins import Logins
from ao.control.logs import Logs
from ao.control.questions import Questions
from ao.control.replays import Replays
from ao.control.runs import Runs
from ao.control.schedules import Schedules
from ao.control.secrets import Secrets
from ao.control.sessions import Sessions
from ao.control.steps import Steps
from ao.control.storage import Storage
from ao.control.webhooks import Webhooks
from ao.sandbox import Template
from ao.server.closing import Closing
from ao.server.roles import Locate, Of
from ao.store import Store
from ao.wire.schemas import CheckView

TemplateOf = Callable[[str, int], Template | None]
Check = Callable[[], Awaitable[CheckView]]
"""One dependency looked at; never raises."""


@dataclass(frozen=True, slots=True)
class About:
    """What this server is; shown by `ao doctor` and the status page."""

    version: str
    home: Path
    database: str
    """`sqlite` or `postgresql`, never with credentials."""
    started_us: int
    sandbox: str
    degraded: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Services:
    runs: Runs
    assistants: Assistants
    steps: Steps
    questions: Questions
    replays: Replays
    sessions: Sessions
    logs: Logs
    deployments: Deployments
    schedules: Schedules
    secrets: Secrets
    keys: Keys
    logins: Logins
    audit: AuditLog
    storage: Storage
    webhooks: Webhooks
    workers: Workers
    store: Store
    bus: Bus
    about: About
    uploads: Path
    """Directory for uploads in flight; what is in it at the start is left over and removed."""
    max_upload: int
    """Bytes."""
    local_only: bool = True
    """The server listens on loopback."""
    checks: Sequence[Check] = ()
    """Readiness checks beyond those of the server itself."""
    template: TemplateOf = lambda _agent, _version: None
    """How runs of a version start."""
    closing: Closing = field(default_factory=Closing)

    @property
    def agent_of(self) -> Mapping[Of, Locate]:
        """How the agent is found that something belongs to, for the scopes of keys."""
        return {
            Of.RUN: self.runs.agent_of,
            Of.DELIVERY: self.webhooks.agent_of,
            Of.ASSISTANT: self.assistants.agent_of,
        }
