"""The values that go into the store and come out of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ao.domain.deployment import DeploymentStatus, Pointer
from ao.domain.outcome import ErrorInfo, OutcomeKind
from ao.domain.payload import INLINE_BYTES as INLINE_BYTES  # noqa: PLC0414 - belongs to the records
from ao.domain.payload import Payload as Payload  # noqa: PLC0414
from ao.domain.retry import RetryPolicy
from ao.domain.run import RunHead, RunState
from ao.domain.session import SessionUse, SessionWrite
from ao.ids import ApiKeyId, DeploymentId, Digest, RunId, ScheduleId, WorkerId
from ao.store.gates import Gate

# --- runs ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Webhook:
    url: str
    secret: str
    """Name of the secret that signs."""


@dataclass(frozen=True, slots=True)
class Fork:
    """Another run that a run begins with."""

    of: RunId
    step: str | None = None
    """Only what it began before this step is taken over; None: everything that is recorded."""
    with_steps: bool = True
    as_first: bool = False
    """Only if no other run was made of this dead letter."""


@dataclass(frozen=True, slots=True)
class NewRun:
    id: RunId
    agent: str
    environment: str
    input: Payload
    actor: str
    deployment_id: DeploymentId | None = None
    """Pinned; None follows the environment's `stable` pointer at the first claim."""
    idempotency_key: str | None = None
    request_hash: str = ""
    """Digest of all that the caller asked for; with a key it must be equal the second time."""
    priority: int = 0
    """Larger is sooner."""
    schedule_id: ScheduleId | None = None
    tick_us: int | None = None
    queue_seconds: float | None = None
    """No worker takes it after that: it is cancelled."""
    webhook: Webhook | None = None
    lineage: RunId | None = None
    """The first run of this line of replays; None means itself."""
    fork: Fork | None = None
    concurrency_key: str | None = None
    """Runs of an agent with the same key take turns with those of others as one."""
    gates: Sequence[Gate] = ()
    session: SessionUse | None = None
    assistant: str | None = None
    """None: the agent's own."""
    assistant_version: int | None = None
    placement: str | None = None
    """`Placement.text()`; None: any worker may take it."""


@dataclass(frozen=True, slots=True)
class Created:
    run_id: RunId
    is_new: bool
    cancelled: Sequence[RunId] = ()
    """Runs of its session that it has cancelled, or asked to be."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run as readers see it: request, head and outcome together."""

    id: RunId
    agent: str
    environment: str
    input: Payload
    actor: str
    created_us: int
    priority: int
    pinned: bool
    deployment_id: DeploymentId | None
    """Resolved at the first claim (or pinned)."""
    version: int | None
    digest: Digest | None
    """What is executed: the deployment's artifact, or the one that its assistant's overrides make of it."""
    artifact: Digest | None
    """The deployment's."""
    assistant: str
    """The agent's name for its own."""
    assistant_version: int | None
    """None for an agent's own assistant."""
    schedule_id: ScheduleId | None
    tick_us: int | None
    """The tick of its schedule that it is the run of."""
    lineage: RunId
    fork_of: RunId | None
    """The run that it was made of."""
    fork_step: str | None
    """The first step that it does not have from there."""
    concurrency_key: str | None
    head: RunHead
    due_us: int | None
    """For `pending`: when it can be claimed, if that is in the future."""
    started_us: int | None
    """Start of the first attempt."""
    finished_us: int | None
    worker_id: WorkerId | None
    output: Payload | None
    error: ErrorInfo | None
    """The final error; while the run is not terminal, the last attempt's."""
    last_seq: int
    session: str | None = None
    session_base: int | None = None
    """Version of the session that it began with; None or 0 while it has not."""


@dataclass(frozen=True, slots=True)
class Attempt:
    run_id: RunId
    number: int
    fence: int
    worker_id: WorkerId
    sandbox: str
    started_us: int
    finished_us: int | None
    kind: OutcomeKind | None
    error: ErrorInfo | None
    exit_code: int | None
    max_rss_bytes: int | None
    cpu_seconds: float | None
    due_us: int | None = None
    """It could not start before: the end of the delay after a failed attempt."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a worker gets when it takes a run: all it needs to execute one attempt."""

    run_id: RunId
    agent: str
    environment: str
    fence: int
    attempt: int
    input: Payload
    last_error: str | None
    deployment_id: DeploymentId
    version: int
    digest: Digest
    config: str
    """The deployment's resolved `ao.toml` as JSON text."""
    env_key: str
    """Name of the built environment."""
    active_us: int
    created_us: int
    forked: bool = False
    """It began with recorded steps of another run."""
    tick_us: int | None = None
    """The tick of its schedule, if one made it."""
    session: str | None = None
    assistant: str | None = None
    """None for the agent's own, which has no version and no overrides."""
    assistant_version: int = 0
    overrides: str = ""
    """`Overrides.text()`."""


class Claims(list[Claim]):
    """What a worker gets at once."""

    again_us: int | None = None
    """It leaves runs to other workers that are better for them: there may be more for it after this time."""


@dataclass(frozen=True, slots=True)
class RunFilter:
    agent: str | None = None
    states: Sequence[RunState] = ()
    version: int | None = None
    before: RunId | None = None
    """Keyset cursor: only runs created before this one."""
    agents: Sequence[str] = ()
    """Only runs of these; empty means all. Not together with `agent`."""
    session: str | None = None
    """Only runs of this session of `agent`."""
    assistant: str | None = None
    """An agent's name means its own assistant: its runs without another."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What the store did with the end of an attempt."""

    state: RunState
    due_us: int | None
    last_seq: int
    others_claimable: bool = False
    """Runs that waited for this one can be claimed now."""


@dataclass(frozen=True, slots=True)
class CancelResult:
    state: RunState
    """`cancelled` when it was pending; `running` when its worker has to stop it; else what it ended as."""
    worker_id: WorkerId | None
    changed: bool = True
    """False when it had ended already, or its worker knows."""
    others_claimable: bool = False
    """Runs that waited for this one can be claimed now."""


# --- deployments -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NewDeployment:
    id: DeploymentId
    agent: str
    actor: str
    source_digest: Digest
    """sha256 of the uploaded archive."""
    message: str = ""
    lease_us: int = 0
    """The build is abandoned after so long unless it is renewed."""


@dataclass(frozen=True, slots=True)
class BuiltRelease:
    """What a build that succeeded adds to its deployment."""

    digest: Digest
    config: str
    env_key: str
    lock_digest: Digest | None
    requirements_hash: str
    """Digest of what was asked for (requirements text, python): equal → the lock is used again."""
    parts: str
    """JSON: part name → {digest, size}."""
    recipe: str | None = None
    """JSON {python, version, lock, wheels}: what any machine makes the environment from."""


@dataclass(frozen=True, slots=True)
class Deployment:
    id: DeploymentId
    agent: str
    version: int
    status: DeploymentStatus
    actor: str
    message: str
    source_digest: Digest
    created_us: int
    finished_us: int | None
    error: str | None
    release: BuiltRelease | None


@dataclass(frozen=True, slots=True)
class Agent:
    name: str
    created_us: int
    stable: int | None
    """Version that `stable` points at in the default environment."""
    last_good: int | None
    latest: int
    """Highest version, whatever its status."""


@dataclass(frozen=True, slots=True)
class PointerMove:
    """One entry of the append-only history of what was live."""

    agent: str
    environment: str
    pointer: Pointer
    frm: int | None
    to: int
    reason: str
    actor: str
    at_us: int


# --- secrets, keys ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Secret:
    agent: str
    """Empty for a secret that all agents may name."""
    name: str
    version: int
    updated_us: int
    actor: str


@dataclass(frozen=True, slots=True)
class ApiKey:
    """Implements `ao.domain.access.Principal`."""

    id: ApiKeyId
    name: str
    role: str
    created_us: int
    revoked_us: int | None
    agents: Sequence[str] = ()
    """The agents that it is for; empty means all."""
    expires_us: int | None = None
    last_used_us: int | None = None
    """Written at most once a minute."""
    actor: str = ""
    """Who made it; empty for the one of the home directory."""


@dataclass(frozen=True, slots=True)
class NewApiKey:
    id: ApiKeyId
    name: str
    role: str
    key_hash: str
    agents: Sequence[str] = ()
    expires_us: int | None = None
    actor: str = ""


@dataclass(frozen=True, slots=True)
class Login:
    """Somebody who is logged in to the dashboard, as the API key they did it with."""

    key: ApiKey
    until_us: int


@dataclass(frozen=True, slots=True)
class LostRuns:
    """What a sweep found: runs that went back to pending, and runs that were failed."""

    requeued: Sequence[RunId] = field(default_factory=tuple)
    failed: Sequence[RunId] = field(default_factory=tuple)
    cancelled: Sequence[RunId] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class FinishAttempt:
    """A worker's report of one attempt: fenced, with the events that were not yet written."""

    run_id: RunId
    fence: int
    policy: RetryPolicy
    random: float
    output: Payload | None
    session: SessionWrite | None = None
    """What it leaves in its session, if it completed or pauses."""
