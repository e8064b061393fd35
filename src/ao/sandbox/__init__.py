"""The isolated place of one attempt, and the seam behind which such places are made.

Contract of every `Executor`, checked by one conformance suite (`ao.testing.sandbox_conformance`):

- A sandbox sees the release, its environment and the runner read-only, and a private work directory
  and `/tmp` that are empty at the start and gone at the end. It sees nothing else of the host: no
  other process, file, socket or environment variable.
- Limits hold for the whole process tree. What an executor cannot enforce on this host it lists in
  `SandboxInfo.degraded`; it never pretends.
- When `wait()` returns, every process of the sandbox is gone, `setsid` daemons too.
- When the lease deadline passes, or the worker goes away, every sandbox is killed by its supervisor,
  which lives in another process: one beside the worker, or the first one of each container.
"""

from asyncio import Future
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Literal, Protocol

Message = dict[str, object]
"""One message of the runner protocol (`ao_runner.protocol`): a JSON object with a `type`."""


class Level(StrEnum):
    """How sandboxes are isolated. Of the first three the best that works is found by trying; `docker` has to be
    asked for."""

    NAMESPACES = "namespaces"
    LANDLOCK = "landlock"
    DEGRADED = "degraded"
    DOCKER = "docker"

    @property
    def namespaced(self) -> bool:
        """Whether a sandbox has processes, mounts and a network of its own."""
        return self in (Level.NAMESPACES, Level.DOCKER)


OF_THIS_HOST = (Level.NAMESPACES, Level.LANDLOCK, Level.DEGRADED)
"""What needs nothing beside AO, best first."""


class StopCause(StrEnum):
    """Why a sandbox was ended by AO."""

    TIMEOUT = "timeout"
    RUN_TIMEOUT = "run_timeout"
    CANCELLED = "cancelled"
    SHUTDOWN = "shutdown"
    """The worker is stopping: the run is handed back."""
    LEASE = "lease"
    """The worker lost its lease: this attempt must have no further effects."""
    OUT_OF_MEMORY = "out_of_memory"
    PROCESSES = "processes"
    DISK = "disk"
    OUTPUT = "output"
    LOST = "lost"
    """The supervisor died, and every sandbox with it."""
    PROTOCOL = "protocol"
    """The runner's socket carried something that is not the protocol."""


@dataclass(frozen=True, slots=True)
class Network:
    """What a sandbox may reach. `hosts` names `host`, `host:port` or `*.domain` and goes with `hosts`."""

    policy: Literal["none", "models", "hosts", "full"] = "models"
    hosts: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """For the whole process tree of one attempt."""

    memory_bytes: int = 1 << 30
    processes: int = 256
    """Processes and threads."""
    open_files: int = 1024
    """Per process."""
    disk_bytes: int = 1 << 30
    """Everything in the work directory."""
    tmp_bytes: int = 256 << 20
    """Everything in `/tmp`."""
    cpu: float | None = None
    """Cores; None is no limit. Containers hold to it."""


@dataclass(frozen=True, slots=True)
class Entrypoint:
    """What to execute. `target` is `module:function`, a script's path in the project, or unused."""

    kind: Literal["function", "script", "command"]
    target: str = ""
    command: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class SandboxSpec:
    """All that an executor needs for one attempt."""

    id: str
    """Unique among the live sandboxes of a worker, safe as a file name."""
    code_dir: Path
    """The unpacked release; read-only inside, and the current directory."""
    env_dir: Path
    """The virtual environment, shared and read-only."""
    python: Path
    """`env_dir/bin/python`."""
    entrypoint: Entrypoint
    input_json: str
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The agent's own variables, its secrets and what of `AO_*` is the same for all its runs; nothing is
    inherited from the worker."""
    run_env: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The variables that only this run has."""
    steps: Mapping[str, object] | None = field(default=None, repr=False)
    """What the runner needs to know of earlier attempts (`steps` of `ao_runner.protocol`); None where there
    are no steps, as in a build."""
    retries: Mapping[str, Sequence[str]] | None = None
    """Classes of exceptions that are `permanent` or `transient`; None: no other than the runner's own."""
    session: Mapping[str, object] | None = field(default=None, repr=False)
    """What the session of the run is (`session` of `ao_runner.protocol`); None for a run without one."""
    redact: Callable[[str], str] = field(default=str, repr=False, compare=False)
    """Takes secrets out of a text that may quote the agent, and that may be cut off behind."""
    warm: bool = True
    """Whether it may be a fork of a process that has imported the agent already, where that is safe."""
    limits: Limits = field(default_factory=Limits)
    network: Network = field(default_factory=Network)
    writable_dirs: Sequence[Path] = ()
    """Host directories that are visible and writable at the same path (used by builds). An executor that
    gives agents another user gives these directories to it."""
    readable_dirs: Sequence[Path] = ()
    """More host directories that are visible at the same path (used by builds)."""
    gpus: Sequence[int] = ()
    """GPUs that this run alone has, by their numbers on the host."""
    image: str | None = None
    """What a container starts from, when the agent names it. Where there are none, that is degraded."""
    dockerfile: str | None = None
    """A file in `code_dir` from which that image is built instead, with what is in its directory."""


@dataclass(frozen=True, slots=True)
class SandboxInfo:
    level: Level
    degraded: Sequence[str] = ()
    """What is not enforced here, in words; empty when everything is."""
    namespaces: Mapping[str, int] = field(default_factory=dict)
    """Inode numbers of the sandbox's own namespaces by type (`mnt`, `pid`, `net`, …)."""
    warm: bool = False
    """Whether its process was forked from one that had imported the agent."""
    why_cold: str = ""
    """Why it was not, in words; empty when it was, or when nobody tried."""


@dataclass(frozen=True, slots=True)
class SandboxExit:
    """How the process tree ended; exactly one of `exit_code` and `signal` is set."""

    exit_code: int | None
    signal: int | None
    cause: StopCause | None
    """Set when AO ended it."""
    detail: str = ""
    """One line about the cause, with figures."""
    max_rss_bytes: int | None = None
    cpu_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """How runs of one kind start."""

    env: Mapping[str, str] = field(repr=False)
    """As in their `SandboxSpec`."""
    state: Literal["ready", "making", "cold"]
    """`cold`: there is none. `making`: runs start cold until it is there."""
    why_cold: str
    memory_bytes: int


class Sandbox(Protocol):
    """One running attempt."""

    @property
    def info(self) -> SandboxInfo: ...

    async def read_stdout(self) -> bytes:
        """The next bytes of standard output; empty at its end."""
        ...

    async def read_stderr(self) -> bytes: ...

    async def receive(self) -> Message | None:
        """The runner's next message; None when its socket is closed."""
        ...

    async def send(self, message: Message) -> None: ...

    async def stop(self, cause: StopCause, grace_seconds: float = 0.0) -> None:
        """Kill the whole tree: at once, or SIGTERM first and SIGKILL after `grace_seconds`. The first
        cause counts; stopping what has ended does nothing."""
        ...

    def exits_now(self) -> None:
        """It said that it exits and leaves nothing behind: no message counts any more, and what is in its pipes
        is all that there will be. `ended` comes a moment later."""
        ...

    async def wait(self) -> SandboxExit:
        """The end; the tree is gone and the work directory removed when this returns."""
        ...

    @property
    def ended(self) -> "Future[SandboxExit]":
        """What `wait` waits for, to be called back by; not to be cancelled."""
        ...


class Executor(Protocol):
    """Makes sandboxes on this host."""

    @property
    def info(self) -> SandboxInfo:
        """What every sandbox of this executor gets (without `namespaces`)."""
        ...

    async def provide(self, spec: SandboxSpec, told: Callable[[str], None]) -> None:
        """Have what its sandbox starts from, however long that takes: called before `start`. `told` takes the
        lines of what is built, and never blocks. Raises `SandboxError`."""
        ...

    async def tidy(self) -> None:
        """Remove what was provided for releases that are not on this machine any more."""
        ...

    async def start(self, spec: SandboxSpec) -> Sandbox:
        """A started sandbox: the runner is up or coming up. Raises `SandboxError`."""
        ...

    async def prepare(self, spec: SandboxSpec) -> str:
        """Return when the next run like this one will start warm, or why it will not, in words."""
        ...

    def keep(self, specs: Sequence[SandboxSpec]) -> None:
        """Memory for templates goes to runs like these first, in this order; it replaces what was said before.
        `prepare` makes them."""
        ...

    def templates(self) -> Sequence[Template]:
        """All kinds of runs that were seen or asked for, and can start warm or might have."""
        ...

    async def cool(self) -> None:
        """End everything that waits to start runs warm; those that run go on."""
        ...

    async def renew(self, seconds: float) -> None:
        """Set the kill deadline to `seconds` from now on the boot-time clock; called after each accepted
        heartbeat. Before the first call there is no deadline."""
        ...

    @property
    def lost(self) -> "LostSignal":
        """Set when the supervisor died; its sandboxes are gone and `start` raises until `restart`."""
        ...

    def kill(self) -> None:
        """End the supervisor, whatever state it is in, and with it all sandboxes; `lost` tells when."""
        ...

    async def restart(self) -> None:
        """A new supervisor in place of a lost one."""
        ...

    async def close(self) -> None:
        """Kill what is left and end the supervisor."""
        ...


class LostSignal(Protocol):
    async def wait(self) -> object: ...
    def is_set(self) -> bool: ...
