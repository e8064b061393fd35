"""Migrations by hand: what is left to be done, and doing it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ao.home import Home
from ao.settings import Settings
from ao.store.sql import sqlite_opening
from ao.store.sql.migrate import Plan, Step

__all__ = ["Migrated", "Part", "Plan", "Step", "migrate", "plan"]

Part = Literal["pre", "post"]


@dataclass(frozen=True, slots=True)
class Migrated:
    done: Sequence[Step]
    left: Plan


def plan(settings: Settings) -> Plan:
    """Raises SchemaTooNew, Unavailable, DatabaseDamaged."""
    if settings.on_postgres:
        from ao.store.sql import postgres_migrating  # noqa: PLC0415  (each database's driver loads alone)

        return postgres_migrating.plan(settings.database_url)
    return sqlite_opening.plan(_file(settings))


def migrate(settings: Settings, part: Part) -> Migrated:
    """Carry out one part. A file is the affair of one program, so both of its parts are one.

    Raises HomeInUse, Conflict, SchemaTooNew, Unavailable, DatabaseDamaged.
    """
    before = plan(settings)
    if not settings.on_postgres:
        home = Home(settings.home)
        home.prepare()
        with home.locked():
            sqlite_opening.make_current(_file(settings))
        return Migrated([*before.pre, *before.post], plan(settings))
    from ao.store.sql import postgres_migrating, postgres_opening  # noqa: PLC0415  (as above)

    if before.found is None:
        postgres_opening.make_current(settings.database_url)
        return Migrated([], plan(settings))
    carry_out = postgres_migrating.expand if part == "pre" else postgres_migrating.contract
    done = carry_out(settings.database_url)
    return Migrated(done, plan(settings))


def _file(settings: Settings) -> Path:
    return Path(settings.database_url.removeprefix("sqlite:///"))
