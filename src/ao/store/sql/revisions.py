"""The migrations: read, and carried out by Alembic, which is imported only by who has an older database.

A file in `migrations/versions` has `upgrade()`, the pre part. It may say `breaks_earlier = True`: programs of
earlier schemas cannot work beside it. It may have `contract()`, the post part, after which they cannot either.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from ao import __version__
from ao.store.sql import migrate
from ao.store.sql.migrate import Found, Plan, Step


@dataclass(frozen=True, slots=True)
class Revision:
    step: Step
    breaks_earlier: bool
    contract: Callable[[], None] | None

    @property
    def number(self) -> str:
        return self.step.revision


def revisions() -> Sequence[Revision]:
    """All of them, first to last."""
    scripts = [*ScriptDirectory.from_config(_config()).walk_revisions()]
    return [
        Revision(
            Step(script.revision, script.doc),
            getattr(script.module, "breaks_earlier", False),
            getattr(script.module, "contract", None),
        )
        for script in reversed(scripts)
    ]


def plan(found: Found | None) -> Plan:
    if found is None:
        return Plan(None)
    pre = [each for each in revisions() if each.number > found.schema]
    post = [each for each in revisions() if each.number > found.contracted and each.contract is not None]
    after_pre = max(found.min_reader, *(each.number for each in pre if each.breaks_earlier), migrate.NEVER)
    after_post = max(after_pre, *(each.number for each in post), migrate.NEVER)
    return Plan(
        found, [each.step for each in pre], [each.step for each in post], after_pre, after_post, migrate.HEAD
    )


def expand(connection: Connection, revision: str) -> None:
    """The pre parts up to a revision, in the transaction of the connection."""
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def contract(connection: Connection, revision: str) -> None:
    """The post part of one revision, in the transaction of the connection."""
    (found,) = [each for each in revisions() if each.number == revision]
    assert found.contract is not None
    with Operations.context(MigrationContext.configure(connection)):
        found.contract()
    say(connection, contracted=revision)


def upgrade(connection: Connection, found: Found | None = None) -> None:
    """Both parts of everything, for a database that nobody else uses."""
    expand(connection, "head")
    contracted = migrate.NEVER if found is None else found.contracted
    for each in revisions():
        if each.contract is not None and each.number > contracted:
            contract(connection, each.number)
    say(connection, ao_version=__version__, min_reader=migrate.MIN_READER, contracted=migrate.HEAD)


def say(connection: Connection, **entries: str) -> None:
    for statement in migrate.said(**entries):
        connection.exec_driver_sql(statement)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(migrate.MIGRATIONS).replace("%", "%%"))
    return config
