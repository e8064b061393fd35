"""The parts of one process, opened together: of `ao up`, `ao server` or `ao worker`."""

from collections.abc import Coroutine, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

from ao.bus import Bus
from ao.control.agenda import Agenda
from ao.control.deployments import Deployments
from ao.control.keys import Keys
from ao.control.schedules import Schedules
from ao.control.ticker import Ticker
from ao.control.upkeep import (
    promote_forever,
    review_forever,
    sweep_forever,
    take_back_runs,
    tidy_forever,
)
from ao.domain.access import Role
from ao.home import Home, write_private
from ao.sandbox import Executor
from ao.server.listen import check_exposure
from ao.server.services import Services
from ao.settings import Settings
from ao.store import Store
from ao.store.records import ApiKey
from ao.wiring.ground import Ground, open_ground
from ao.wiring.pulse import beat_forever
from ao.wiring.serving import make_services
from ao.wiring.working import Crew, make_crew

Duties = Mapping[str, Coroutine[None, None, None]]
"""Loops that run for ever, by name."""


@dataclass(frozen=True, slots=True)
class Platform:
    """A process that serves; with a crew it works, too."""

    ground: Ground
    crew: Crew | None
    services: Services
    ticker: Ticker
    agenda: Agenda
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

    def duties(self) -> Duties:
        return {
            **self.ground.duties(),
            **(self.crew.duties() if self.crew is not None else {}),
            "agenda": self.agenda.run_forever(),
            "builds": self.deployments.watch_forever(),
            "schedules": self.ticker.run_forever(self.agenda),
            "promotion": promote_forever(self.store, self.bus, self.agenda),
            "review": review_forever(self.store, self.bus, self.agenda),
            "tidying": tidy_forever(self.store, *self.ground.settings.kept_us),
            "webhooks": self.services.webhooks.run_forever(self.agenda),
            "sweep": sweep_forever(self.store, self.bus, self.agenda),
        }


async def open_platform(
    settings: Settings, home: Home, stack: AsyncExitStack, *, works: bool = True
) -> Platform:
    """Open every part, without a crew when it only serves; `stack` closes them, last first. The caller holds
    the home's lock."""
    ground = await open_ground(settings, home, stack)
    keys = Keys(ground.store)
    local_key = await _ensure_key(keys, home)
    check_exposure(settings.host, has_keys=bool(await keys.list()))
    crew = make_crew(ground) if works else None
    services = make_services(ground, keys, crew, stack)
    if not settings.on_postgres:  # the home is ours: every earlier worker and build is gone
        await services.deployments.recover()
        await take_back_runs(ground.store, ground.bus)
    schedules = services.schedules
    ticker = Ticker(ground.store, schedules.orders, ground.bus, schedules.backpressure)
    agenda = Agenda(ground.store.agenda, ground.bus, settings.sweep_seconds)
    return Platform(ground, crew, services, ticker, agenda, local_key)


@dataclass(frozen=True, slots=True)
class Workplace:
    """A process that only works."""

    ground: Ground
    crew: Crew

    def duties(self) -> Duties:
        file, pause = self.ground.home.worker_file, self.ground.settings.heartbeat_seconds
        pulse = beat_forever(self.crew.worker, file, pause / 2)
        return {**self.ground.duties(), **self.crew.duties(), "pulse": pulse}


async def open_workplace(settings: Settings, home: Home, stack: AsyncExitStack) -> Workplace:
    ground = await open_ground(settings, home, stack)
    return Workplace(ground, make_crew(ground))


async def _ensure_key(keys: Keys, home: Home) -> ApiKey:
    """The key for the commands of this machine, readable by its user only; made when there is none."""
    key = await keys.authenticate(home.api_key.read_text().strip()) if home.api_key.exists() else None
    if key is None:
        key, token = await keys.issue("local", Role.ADMIN)
        write_private(home.api_key, token)
    return key
