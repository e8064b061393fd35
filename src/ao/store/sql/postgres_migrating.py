"""Migrations of a Postgres database that others work on: one at a time, each in its own short transaction.

A statement that waits for a lock holds up everybody behind it, so none waits for long: it gives up, and the
migration is tried again a little later. Where nobody may work meanwhile, there is no such hurry.
"""

import random
import time
from collections.abc import Callable, Sequence
from contextlib import closing

import psycopg
from sqlalchemy import Connection as Transaction
from sqlalchemy import Engine, NullPool, create_engine
from sqlalchemy.exc import DBAPIError

from ao import __version__
from ao.domain.errors import Conflict, Unavailable
from ao.store.sql import migrate, revisions
from ao.store.sql.dialect import PostgresDialect
from ao.store.sql.migrate import Found, Plan, Step
from ao.store.sql.postgres_found import ONE_AT_A_TIME, look, name_of
from ao.store.sql.postgres_session import Connection, connect
from ao.store.sql.processes import ALIVE_US, BEAT_SECONDS

LOCK_SECONDS = 2
"""A statement waits for a lock for so long, and everybody else for the statement."""
STATEMENT_SECONDS = 10
"""A statement of a migration holds its lock for so long at most."""
PATIENCE_SECONDS = 120.0
"""For locks, in all."""
LEAVING_SECONDS = 30.0
"""Processes that may not go on have ended by then."""
_SHORT = f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'; SET LOCAL statement_timeout = '{STATEMENT_SECONDS}s'"
_UNHURRIED = "SET LOCAL lock_timeout = '60s'; SET LOCAL statement_timeout = 0"

_NOW = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
_WORKERS = f"SELECT 'worker', name, '' FROM worker WHERE lease_until_us > {_NOW}"
_PROCESSES = f"""
SELECT role, host, version FROM process
WHERE schema_known < %s AND beat_us > {_NOW} - {ALIVE_US} ORDER BY 1, 2"""
_LATE = frozenset({"55P03", "57014", "40P01"})
"""No lock in time, statement took too long, deadlock."""


def plan(url: str) -> Plan:
    """What is left to be done; changes nothing."""
    with _connected(url) as connection:
        return revisions.plan(look(connection))


def expand(url: str) -> Sequence[Step]:
    """Carry out the pre parts; returns those that this call carried out.

    Raises Conflict while a process works that could not go on afterwards, Unavailable when locks are not to be
    had.
    """
    with _connected(url) as connection:
        found = look(connection)
        todo = revisions.plan(found)
        if found is None or not todo.pre:
            return ()
        if not todo.beside:
            _refuse_beside(connection, found, todo.min_reader_pre, "the pre part")
    done = []
    for step in todo.pre:

        def one(transaction: Transaction, step: Step = step) -> bool:
            if _schema(transaction) >= step.revision:
                return False  # another process was first
            revisions.expand(transaction, step.revision)
            revisions.say(transaction, ao_version=__version__, min_reader=todo.min_reader_pre)
            return True

        if _patiently(url, f"migration {step.revision}", _SHORT if todo.beside else _UNHURRIED, one):
            done.append(step)
    return done


def contract(url: str) -> Sequence[Step]:
    """Carry out the post parts; returns those that this call carried out. Raises as `expand` does."""
    with _connected(url) as connection:
        found = look(connection)
        todo = revisions.plan(found)
        if found is None or not todo.post:
            return ()
        if todo.pre:
            raise Conflict(
                f"{name_of(connection)} has schema {found.schema}, not {migrate.HEAD}",
                hint="`ao migrate --pre`, start the new version everywhere, then `ao migrate --post`",
            )
        _refuse_beside(connection, found, todo.min_reader_post, "the post part")
        for statement in migrate.said(min_reader=todo.min_reader_post):
            connection.execute(statement.encode())  # from here on, who is older does not start
        _await_gone(connection, found, todo.min_reader_post)
    done = []
    for step in todo.post:

        def one(transaction: Transaction, step: Step = step) -> bool:
            if _contracted(transaction) >= step.revision:
                return False
            revisions.contract(transaction, step.revision)
            return True

        if _patiently(url, f"the post part of migration {step.revision}", _SHORT, one):
            done.append(step)
    return done


def _refuse_beside(connection: Connection, found: Found, reader: str, what: str) -> None:
    older = _older(connection, found, reader)
    if older:
        raise Conflict(
            f"{what} cannot be carried out beside programs older than schema {reader}, and these are at work: "
            + ", ".join(older),
            hint=f"stop them, or start AO {__version__} in their place; one that was killed counts for "
            f"{ALIVE_US // 1_000_000} s more",
            details={"processes": list(older), "min_reader": reader},
        )


def _older(connection: Connection, found: Found, reader: str) -> Sequence[str]:
    """Who is at work and older than `reader`, in words. Before there was a table of processes, workers are all
    that can be seen."""
    if found.schema < migrate.PROCESSES_SINCE:
        rows = connection.execute(_WORKERS).fetchall()
    else:
        rows = connection.execute(_PROCESSES, [reader]).fetchall()
    return [f"{role} on {host}{version and f' (AO {version})'}" for role, host, version in rows]


def _await_gone(connection: Connection, found: Found, reader: str) -> None:
    """Who started just before it was refused is told at its next beat."""
    time.sleep(BEAT_SECONDS)
    deadline = time.monotonic() + LEAVING_SECONDS
    while _older(connection, found, reader) and time.monotonic() < deadline:
        time.sleep(BEAT_SECONDS / 10)
    _refuse_beside(connection, found, reader, "the post part")


def _patiently(url: str, name: str, timeouts: str, one: Callable[[Transaction], bool]) -> bool:
    """In a transaction of its own, as often as it takes to get its locks."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with _engine(url).begin() as transaction:
                transaction.exec_driver_sql(ONE_AT_A_TIME)
                for statement in timeouts.split(";"):
                    transaction.exec_driver_sql(statement)
                return one(transaction)
        except DBAPIError as error:
            cause = error.orig
            if not isinstance(cause, psycopg.Error) or cause.sqlstate not in _LATE:
                raise _plain(error) from error
            if time.monotonic() > deadline:
                raise Unavailable(
                    f"{name} did not get its locks in {PATIENCE_SECONDS:.0f} s, and changed nothing: {cause}",
                    hint="end what is long at work: SELECT pid, xact_start, query FROM pg_stat_activity "
                    "WHERE xact_start < now() - interval '2 seconds'",
                ) from error
        time.sleep(random.uniform(0.2, 1.0))  # noqa: S311 - others go first


def _plain(error: DBAPIError) -> Exception:
    return PostgresDialect().error(error.orig) if isinstance(error.orig, psycopg.Error) else error


def _schema(transaction: Transaction) -> str:
    return str(transaction.exec_driver_sql(migrate.READ_VERSION).scalar_one())


def _contracted(transaction: Transaction) -> str:
    rows = transaction.exec_driver_sql(migrate.READ_META).all()
    return Found.of(migrate.NEVER, [(key, value) for key, value in rows]).contracted


def _engine(url: str) -> Engine:
    return create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(url, prepare_threshold=None),
        poolclass=NullPool,
    )


def _connected(url: str) -> "closing[Connection]":
    return closing(connect(url))
