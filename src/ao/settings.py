"""Settings: parsed once from a mapping such as `os.environ`, all mistakes reported together.

Nothing else in AO reads the environment. `docs/configuration.md` documents every entry of `SETTINGS`,
and a test compares the two.
"""

import difflib
import ipaddress
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast

from ao import setting_files
from ao import setting_values as read
from ao.domain.errors import InvalidConfig, Problem
from ao.domain.placement import parse_labels
from ao.places import Bucket, S3Access

DEFAULT_PORT = 7433
Origin = Literal["default", "env", "file"]

RUNNER_VARIABLES = frozenset(
    {
        "AO_RUN_ID",
        "AO_ATTEMPT",
        "AO_LAST_ERROR",
        "AO_SCHEDULED_AT",
        "AO_AGENT",
        "AO_VERSION",
        "AO_ENVIRONMENT",
        "AO_OUTPUT",
        "AO_SESSION",
        "AO_SESSION_MESSAGES",
        "AO_SESSION_STATE",
        "AO_WORKSPACE",
        "AO_WORK_DIR",
    }
)
"""What the runner gives to agents: known names, but no settings."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Sizes are bytes; durations are seconds."""

    home: Path
    host: str
    port: int
    """0 takes any free port."""
    grpc_port: int | None
    """None: no gRPC."""
    url: str | None
    """The server that commands and clients speak to; None: the one that runs in `home`."""
    api_key: str | None = field(repr=False)
    slots: int
    labels: Mapping[str, str]
    """Of the worker, for agents that require or prefer some; what else it has is detected where it is None."""
    worker_memory: int | None
    worker_cpus: float | None
    worker_gpus: int | None
    log_level: Literal["debug", "info", "warning", "error"]
    log_format: Literal["json", "text"]
    sandbox: Literal["auto", "namespaces", "landlock", "degraded", "docker"]
    docker_image: str
    """Of agents that name none; `{python}` in it is their Python, such as `3.12`."""
    docker_network: str
    """The engine's network for agents whose network is `full`."""
    docker_build: str
    """The engine's network in which Dockerfiles of agents are built; `off`: none is built."""
    warm: Literal["on", "off"]
    warm_memory: int
    database_url: str = field(repr=False)
    """May hold a password."""
    migrate: Literal["auto", "off"]
    """Whether a server or worker carries out the pre parts of migrations on Postgres."""
    redis_url: str | None = field(repr=False)
    """May hold a password; None: one process needs no Redis."""
    blobs: Path | Bucket
    """What every server and worker sees."""
    s3_endpoint: str | None
    """None: AWS itself."""
    s3_region: str | None
    s3_access_key_id: str | None
    s3_secret_access_key: str | None = field(repr=False)
    max_upload: int
    max_workspace: int
    """Of a session."""
    keep_history_days: int
    """0 is for ever."""
    keep_audit_days: int
    keep_sessions_days: int
    """Since they were used last; 0 is for ever."""
    max_queued: int
    """Runs that may wait; 0 is no limit."""
    max_queued_per_agent: int
    webhook_hosts: tuple[str, ...]
    """`host`, `host:port` or `*.domain` that webhooks may reach at addresses that are not public."""
    secrets_key: bytes | None = field(repr=False)
    """32 bytes; None: the file `secrets.key` in `home`."""
    lease_seconds: float
    heartbeat_seconds: float
    sweep_seconds: float
    grace_seconds: float
    """On shutdown, runs have this long to end before they are handed back."""
    drain_seconds: int
    """A server that stops is not ready for so long before it listens no more."""
    origins: Mapping[str, Origin]
    """Where each value came from, by variable name."""

    @property
    def kept_us(self) -> tuple[int | None, int | None, int | None]:
        """Microseconds for which history, audit entries and unused sessions are kept; None is for ever."""
        day_us = 86_400 * 1_000_000
        history, audit = self.keep_history_days * day_us, self.keep_audit_days * day_us
        return history or None, audit or None, self.keep_sessions_days * day_us or None

    @property
    def queue_limits(self) -> tuple[int, int]:
        """Of all runs and of each agent's."""
        return self.max_queued, self.max_queued_per_agent

    @property
    def on_postgres(self) -> bool:
        """Other processes may work on the same store."""
        return self.database_url.startswith("postgres")

    @property
    def s3(self) -> S3Access:
        return S3Access(self.s3_endpoint, self.s3_region, self.s3_access_key_id, self.s3_secret_access_key)

    @property
    def loopback(self) -> bool:
        """True when only this machine can reach the server."""
        return is_loopback(self.host)


@dataclass(frozen=True, slots=True)
class Setting:
    variable: str
    parse: Callable[[str], object]
    """Raises ValueError with a message for the user."""
    default: Callable[[Mapping[str, str]], object]
    """From the environment, because one default (the home directory) depends on it."""
    secret: bool = False
    """Its value may stand in a file, too, which `variable` + `_FILE` names."""

    @property
    def attribute(self) -> str:
        return self.variable.removeprefix("AO_").lower()


def parse(environ: Mapping[str, str]) -> Settings:
    """Settings from variables. Raises InvalidConfig with one problem per mistake, unknown names included.

    A variable that is set to the empty string counts as not set.
    """
    problems = _unknown(environ)
    values: dict[str, object] = {}
    origins: dict[str, Origin] = {}
    for setting in SETTINGS:
        named, text = setting.variable, ""
        try:
            named, text = _given(setting, environ)
            values[setting.attribute] = setting.parse(text) if text else setting.default(environ)
        except InvalidConfig as error:
            problems += error.problems
        except ValueError as error:
            shown = "its value" if setting.secret else repr(text)
            problems.append(Problem(named, f"{shown} {error}"))
        origins[setting.variable] = "default" if not text else "env" if named == setting.variable else "file"
    if not problems:
        problems = _contradictions(values)
    if problems:
        first = problems[0]
        single = len(problems) == 1
        raise InvalidConfig(
            f"{first.field} {first.message}" if single else f"{len(problems)} settings are not valid",
            hint=(single and first.hint) or "docs/configuration.md lists every variable with its values",
            problems=problems,
        )
    values["database_url"] = values["database_url"] or f"sqlite:///{values['home']}/ao.db"
    return Settings(**values, origins=origins)  # type: ignore[arg-type]


def from_environment(overrides: Mapping[str, str] | None = None) -> Settings:
    """The one place where AO reads `os.environ`, with `connection_variables`. `overrides` (flags) win."""
    return parse({**os.environ, **(overrides or {})})


def host_environment() -> Mapping[str, str]:
    """The variables of this process, for the programs that AO starts on the host (pip, uv): their
    indexes, certificates and proxies are configured there."""
    return dict(os.environ)


def connection_variables() -> Mapping[str, str]:
    """The variables that a client needs to find its server; nothing is validated."""
    names = ("AO_HOME", "AO_URL", "XDG_DATA_HOME", "HOME")
    found = {name: os.environ[name] for name in names if os.environ.get(name)}
    _, key = setting_files.read("AO_API_KEY", os.environ)
    return {**found, "AO_API_KEY": key} if key else found


def misspelt_connection_variables() -> list[Problem]:
    """Variables that look like one of those that name a server, and would silently be ignored."""
    relevant = ("AO_HOME?", "AO_URL?", "AO_API_KEY?", "AO_API_KEY_FILE?")
    return [problem for problem in _unknown(os.environ) if problem.hint.endswith(relevant)]


def default_home(environ: Mapping[str, str]) -> Path:
    """`$XDG_DATA_HOME/ao`, or `~/.local/share/ao`."""
    base = environ.get("XDG_DATA_HOME", "")
    if base.startswith("/"):
        return Path(base) / "ao"
    home = environ.get("HOME")
    return (Path(home) if home else Path.home()) / ".local/share/ao"


def home_of(environ: Mapping[str, str]) -> Path:
    """The home directory that these variables mean."""
    text = environ.get("AO_HOME", "").strip()
    return read.directory(text) if text else default_home(environ)


def is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _given(setting: Setting, environ: Mapping[str, str]) -> tuple[str, str]:
    """The variable that was set, and its value; empty when none was."""
    if setting.secret:
        return setting_files.read(setting.variable, environ)
    return setting.variable, environ.get(setting.variable, "").strip()


def _unknown(environ: Mapping[str, str]) -> list[Problem]:
    known = {setting.variable for setting in SETTINGS}
    known |= {setting.variable + setting_files.SUFFIX for setting in SETTINGS if setting.secret}
    problems = []
    for name in sorted(environ):
        if name.startswith("AO_") and name not in known and name not in RUNNER_VARIABLES:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else ""
            problems.append(Problem(name, "is not a setting", hint))
    return problems


def _contradictions(values: Mapping[str, object]) -> list[Problem]:
    problems = []
    lease, heartbeat = cast("float", values["lease_seconds"]), cast("float", values["heartbeat_seconds"])
    if heartbeat * 2 > lease:
        problems.append(
            Problem(
                "AO_HEARTBEAT_SECONDS",
                f"{heartbeat:g} is more than half of AO_LEASE_SECONDS ({lease:g}): a late one loses runs",
                "keep the lease at three to four heartbeats",
            )
        )
    if (values["s3_access_key_id"] is None) is not (values["s3_secret_access_key"] is None):
        missing = "AO_S3_ACCESS_KEY_ID" if values["s3_access_key_id"] is None else "AO_S3_SECRET_ACCESS_KEY"
        message = "is not set, and the other half of the key is"
        problems.append(Problem(missing, message, "set both, or none to use AWS's own ways"))
    return problems


SANDBOXES = ("auto", "namespaces", "landlock", "degraded", "docker")
SETTINGS: tuple[Setting, ...] = (
    Setting("AO_HOME", read.directory, default_home),
    Setting("AO_HOST", read.host, lambda _: "127.0.0.1"),
    Setting("AO_PORT", read.integer(0, 65_535), lambda _: DEFAULT_PORT),
    Setting("AO_GRPC_PORT", read.integer(0, 65_535), lambda _: None),
    Setting("AO_URL", read.check_url, lambda _: None),
    Setting("AO_API_KEY", read.api_key, lambda _: None, secret=True),
    Setting("AO_SLOTS", read.integer(1, 10_000), lambda _: max(12, 4 * (os.cpu_count() or 1))),
    Setting("AO_LABELS", parse_labels, lambda _: {}),
    Setting("AO_WORKER_MEMORY", read.size, lambda _: None),
    Setting("AO_WORKER_CPUS", read.cores, lambda _: None),
    Setting("AO_WORKER_GPUS", read.integer(0, 64), lambda _: None),
    Setting("AO_LOG_LEVEL", read.choice("debug", "info", "warning", "error"), lambda _: "info"),
    Setting("AO_LOG_FORMAT", read.choice("json", "text"), lambda _: "json"),
    Setting("AO_SANDBOX", read.choice(*SANDBOXES), lambda _: "auto"),
    Setting("AO_DOCKER_IMAGE", read.image, lambda _: "python:{python}-slim"),
    Setting("AO_DOCKER_NETWORK", read.docker_network, lambda _: "bridge"),
    Setting("AO_DOCKER_BUILD", read.docker_network, lambda _: "bridge"),
    Setting("AO_WARM", read.choice("on", "off"), lambda _: "on"),
    Setting("AO_WARM_MEMORY", read.size, lambda _: read.memory_bytes() // 4),
    Setting("AO_DATABASE_URL", read.database_url, lambda _: "", secret=True),
    Setting("AO_MIGRATE", read.choice("auto", "off"), lambda _: "auto"),
    Setting("AO_REDIS_URL", read.redis_url, lambda _: None, secret=True),
    Setting("AO_BLOBS", read.directory_or_bucket, lambda environ: home_of(environ) / "blobs"),
    Setting("AO_S3_ENDPOINT", read.check_url, lambda _: None),
    Setting("AO_S3_REGION", read.word, lambda _: None),
    Setting("AO_S3_ACCESS_KEY_ID", read.word, lambda _: None),
    Setting("AO_S3_SECRET_ACCESS_KEY", read.word, lambda _: None, secret=True),
    Setting("AO_MAX_UPLOAD", read.size, lambda _: 512 << 20),
    Setting("AO_MAX_WORKSPACE", read.size, lambda _: 256 << 20),
    Setting("AO_MAX_QUEUED", read.integer(0, 10**12), lambda _: 1_000_000),
    Setting("AO_MAX_QUEUED_PER_AGENT", read.integer(0, 10**12), lambda _: 250_000),
    Setting("AO_KEEP_HISTORY_DAYS", read.integer(0, 36_500), lambda _: 30),
    Setting("AO_KEEP_AUDIT_DAYS", read.integer(0, 36_500), lambda _: 365),
    Setting("AO_KEEP_SESSIONS_DAYS", read.integer(0, 36_500), lambda _: 0),
    Setting("AO_SECRETS_KEY", read.secrets_key, lambda _: None, secret=True),
    Setting("AO_WEBHOOK_HOSTS", read.hosts, lambda _: ()),
    Setting("AO_LEASE_SECONDS", read.seconds, lambda _: 12.0),
    Setting("AO_HEARTBEAT_SECONDS", read.seconds, lambda _: 3.0),
    Setting("AO_SWEEP_SECONDS", read.seconds, lambda _: 1.0),
    Setting("AO_GRACE_SECONDS", read.seconds, lambda _: 10.0),
    Setting("AO_DRAIN_SECONDS", read.integer(0, 3600), lambda _: 3),
)
