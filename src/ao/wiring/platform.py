"""All parts of one process, opened together."""

from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from ao.bus import Bus
from ao.control.deployments import Deployments
from ao.control.keys import Keys
from ao.control.schedules import Schedules
from ao.control.ticker import Ticker
from ao.control.upkeep import promote_forever, sweep_forever, take_back_runs, tidy_forever
from ao.domain.access import Role
from ao.home import Home, write_private
from ao.sandbox import Executor
from ao.server.listen import check_exposure
from ao.server.services import Services
from ao.settings import Settings
from ao.store import Store
from ao.store.records import ApiKey
from ao.wiring.ground import Ground, open_ground
from ao.wiring.serving import make_services
from ao.wiring.working import make_worker
from ao.worker.loop import Worker
from ao.worker.warming import Warming


@dataclass(frozen=True, slots=True)
class Ready:
    """What `ao up` tells when it takes requests."""

    url: str
    login_url: str
    """Logs in to the dashboard, once."""
    home: Path
    database: str
    sandbox: str
    degraded: Sequence[str]
    grpc: str | None = None
    """`host:port`; None: no gRPC."""


@dataclass(frozen=True, slots=True)
class Platform:
    """The open parts of one process."""

    ground: Ground
    worker: Worker
    warming: Warming | None
    """None where no run starts warm."""
    services: Services
    ticker: Ticker
    local_key: ApiKey
    """Of the commands of this machine."""

    @property
    def store(self) -> Store:
        return self.ground.store

    @property
    def bus(self) -> Bus:
        return self.ground.bus

    @property
    def executor(self) -> Executor:
        return self.ground.executor

    @property
    def deployments(self) -> Deployments:
        return self.services.deployments

    @property
    def schedules(self) -> Schedules:
        return self.services.schedules

    def duties(self) -> dict[str, Coroutine[None, None, None]]:
        """Loops that run for ever, by name."""
        ground, settings = self.ground, self.ground.settings
        hints = {} if ground.redis is None else {"hints": ground.redis.run()}
        templates = {} if self.warming is None else {"templates": self.warming.run_forever()}
        return {
            **hints,
            **templates,
            "schedules": self.ticker.run_forever(),
            "promotion": promote_forever(self.store, self.bus),
            "tidying": tidy_forever(self.store, *settings.kept_us),
            "webhooks": self.services.webhooks.run_forever(),
            "sweep": sweep_forever(self.store, self.bus, settings.sweep_seconds),
        }

    def ready(self, url: str, login_url: str, grpc: str | None) -> Ready:
        about, home = self.services.about, self.ground.home
        shown = str(home.database) if about.database == "sqlite" else about.database
        return Ready(url, login_url, home.root, shown, about.sandbox, tuple(about.degraded), grpc)


async def open_platform(settings: Settings, home: Home, stack: AsyncExitStack) -> Platform:
    """Open every part; `stack` closes them, last first. The caller holds the home's lock."""
    ground = await open_ground(settings, home, stack)
    keys = Keys(ground.store)
    local_key = await _ensure_key(keys, home)
    check_exposure(settings.host, has_keys=bool(await keys.list()))
    worker, warming = make_worker(ground)
    services = make_services(ground, keys, worker, warming, stack)
    await services.deployments.recover()
    if not ground.on_postgres:
        await take_back_runs(ground.store, ground.bus)  # the home is ours: every earlier worker is gone
    ticker = Ticker(ground.store, services.schedules.orders, ground.bus)
    return Platform(ground, worker, warming, services, ticker, local_key)


async def _ensure_key(keys: Keys, home: Home) -> ApiKey:
    """The key for the commands of this machine, readable by its user only; made when there is none."""
    key = await keys.authenticate(home.api_key.read_text().strip()) if home.api_key.exists() else None
    if key is None:
        key, token = await keys.issue("local", Role.ADMIN)
        write_private(home.api_key, token)
    return key
