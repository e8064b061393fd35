"""One connection to Postgres, on libpq's own calls: statements go out together, prepared, and answers come in
one go. A cursor of psycopg for each of them takes several times the processor."""

import contextlib
import itertools
import os
import select
import socket
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import psycopg
from psycopg import adapt, pq
from psycopg.abc import Transformer
from psycopg.adapt import PyFormat
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq.abc import PGresult
from psycopg.types.numeric import Int8Dumper

from ao.store.sql.dialect import PostgresDialect, Statement
from ao.store.sql.engine import Params, Row

Connection = psycopg.Connection[Row]
Call = tuple[Statement, Params | Sequence[Params]]
"""A statement with its parameters, or with those of each row that it is to be executed for."""
Wait = Callable[["Session", bool], None]
"""Returns when the session has something to read or, if True is given, can be written to. Raises
`psycopg.Error` when the server is silent for too long."""

_PREPARE_AFTER = 2
_PREPARED = 400
"""Statements of AO that a connection keeps; there are fewer."""

_PATIENCE = {
    "connect_timeout": 5,
    "tcp_user_timeout": 6_000,
    "keepalives_idle": 3,
    "keepalives_interval": 1,
    "keepalives_count": 3,
}
"""Seconds, and milliseconds that sent data may wait for its acknowledgement. A server that is cut off says
nothing, and the kernel's own times would keep a worker out for a quarter of an hour. The URL may say others."""

_OPENING_SECONDS = 5
"""For each answer to what is asked first: behind a pooler it is the first that the server itself hears."""
_PID = Statement(b"SELECT pg_backend_pid()", (), False)

_SYNC, _FAILED, _ABORTED = (
    pq.ExecStatus.PIPELINE_SYNC,
    pq.ExecStatus.FATAL_ERROR,
    pq.ExecStatus.PIPELINE_ABORTED,
)
_BAD = pq.ConnStatus.BAD


def connect(url: str) -> Connection:
    patience = {name: value for name, value in _PATIENCE.items() if name not in conninfo_to_dict(url)}
    connection = psycopg.connect(
        make_conninfo(url, **patience),
        autocommit=True,  # BEGIN and COMMIT are ours, with what belongs to them in the same round trip
        prepare_threshold=None,
        application_name="ao",
    )
    connection.adapters.register_dumper(int, Int8Dumper)  # one type, so that a statement is prepared once
    return connection


class Patience(NamedTuple):
    """In seconds."""

    statement: int
    """The server ends a statement that takes longer."""
    silence: float
    """A server that says nothing for so long hangs, or what is between does: nobody waits for it any longer. It
    is more than a statement takes, so that what was given up is not still at work while it is tried again."""


def open_session(url: str, patience: Patience) -> "Session":
    """A session that is kept. It prepares statements and has its settings, if it is not shared: a pool such as
    PgBouncer makes up the process id that it greets with."""
    connection = connect(url)
    try:
        session = Session(connection, patience)
        pid = session.exchange([(_PID, {})], _wait_for_opening)[-1]
        if session.number(pid) == connection.info.backend_pid:
            settings = PostgresDialect.settings(patience.statement, local=False)
            session.exchange([(Statement(settings.encode(), (), False), {})], _wait_for_opening)
            session.local = ""
    except BaseException:
        connection.close()
        raise
    return session


def wait_in_thread(session: "Session", write: bool, seconds: float | None = None) -> None:
    """See `Wait`."""
    seconds = session.patience.silence if seconds is None else seconds
    if not is_ready(session, write, seconds):
        raise silent(seconds)


def _wait_for_opening(session: "Session", write: bool) -> None:
    wait_in_thread(session, write, _OPENING_SECONDS)


def is_ready(session: "Session", write: bool, seconds: float) -> bool:
    poll = select.poll()
    poll.register(session.fileno, select.POLLIN | (select.POLLOUT if write else 0))
    return bool(poll.poll(seconds * 1000))


def silent(seconds: float) -> psycopg.OperationalError:
    return psycopg.OperationalError(f"the server has said nothing for {seconds:g} s")


class _Sent(NamedTuple):
    """What an answer is expected to: a statement, or (`prepares`) that it is prepared under `name`."""

    key: "_Key"
    prepares: bool


_Key = tuple[bytes, tuple[int, ...]]
"""A statement and the types of its parameters."""
_Execution = tuple[bytes, Any, tuple[int, ...], Any]
"""A statement, its parameters as they are sent, their types and their formats."""


class Session:
    """For one user at a time."""

    def __init__(self, connection: Connection, patience: Patience) -> None:
        self.patience = patience
        self.local = PostgresDialect.settings(patience.statement, local=True)
        """What a transaction has to begin with, because a pool hands the session out to others between two;
        empty when it is `own`."""
        self.fileno = connection.fileno()
        self._connection = connection
        self._pg = connection.pgconn
        self._pg.enter_pipeline_mode()
        self._adapt: Transformer = adapt.Transformer(connection)
        self._names: dict[_Key, bytes] = {}
        self._uses: dict[_Key, int] = {}
        self._numbers = itertools.count()
        self._sent: list[_Sent] = []
        self._answers: list[PGresult] = []

    @property
    def own(self) -> bool:
        return not self.local

    @property
    def broken(self) -> bool:
        return self._pg.status == _BAD

    def close(self) -> None:
        self._connection.close()

    def cut(self) -> None:
        """From another thread: whoever waits for an answer is told that the connection is lost."""
        if not self.broken:
            with contextlib.suppress(OSError), socket.socket(fileno=os.dup(self.fileno)) as own:
                own.shutdown(socket.SHUT_RDWR)

    def exchange(self, calls: Sequence[Call], wait: Wait) -> list[PGresult]:
        """Send all calls, and return an answer for each execution, in order. Raises `psycopg.Error` for the
        first that failed, after which the others were not executed."""
        executions = [self._bound(statement, row) for statement, row in _each(calls)]
        try:
            self._send(executions)
            while self._pg.flush():
                wait(self, True)
                self._pg.consume_input()
            while not self._received():  # it may be here already, so that nothing would come to wait for
                wait(self, False)
                self._pg.consume_input()
        except BaseException:
            self.close()  # in the middle of what is said: the next to ask would be given these answers
            raise
        return self._answered()

    def drain(self) -> None:
        """Take what comes unasked: the server may say goodbye. `broken` tells."""
        with contextlib.suppress(psycopg.OperationalError):
            self._pg.consume_input()

    def row(self, answer: PGresult) -> Row | None:
        """The first."""
        return self._loaded(answer, 1)[0] if answer.ntuples else None

    def number(self, answer: PGresult) -> int:
        """The first value of the first row."""
        row = self.row(answer)
        assert row is not None
        return int(row[0])

    def rows(self, answer: PGresult) -> list[Row]:
        return self._loaded(answer, answer.ntuples)

    def _loaded(self, answer: PGresult, rows: int) -> list[Row]:
        self._adapt.set_pgresult(answer)
        try:
            return self._adapt.load_rows(0, rows, tuple)
        finally:
            self._adapt.set_pgresult(None)  # it may be large

    # --- sending

    def _send(self, executions: "Sequence[_Execution]") -> None:
        for text, values, types, formats in executions:
            self._execute((text, types), values, formats)
        self._pg.pipeline_sync()

    def _bound(self, statement: Statement, params: Params) -> "_Execution":
        """Before anything is sent: a parameter may be one that cannot be."""
        if not statement.names:
            return statement.text, None, (), None
        values = [params[name] for name in statement.names]
        dumped = self._adapt.dump_sequence(values, [PyFormat.AUTO] * len(values))
        return statement.text, dumped, self._adapt.types or (), self._adapt.formats

    def _execute(self, key: _Key, values: Any, formats: Any) -> None:
        name = self._names.get(key) or self._prepare(key)
        self._sent.append(_Sent(key, False))
        if name:
            self._pg.send_query_prepared(name, values, param_formats=formats)
        else:
            self._pg.send_query_params(key[0], values, key[1], formats)

    def _prepare(self, key: _Key) -> bytes:
        """A name, if the statement comes often enough."""
        if not self.own or len(self._names) >= _PREPARED:
            return b""
        uses = self._uses[key] = self._uses.get(key, 0) + 1
        if uses < _PREPARE_AFTER:
            return b""
        name = self._names[key] = b"ao%d" % next(self._numbers)
        self._sent.append(_Sent(key, True))
        self._pg.send_prepare(name, key[0], key[1])
        return name

    # --- receiving

    def _received(self) -> bool:
        """Whether all answers are there."""
        while not self._pg.is_busy():
            answer = self._pg.get_result()
            if answer is None:
                if self.broken:
                    raise psycopg.OperationalError(f"the connection is lost: {self._pg.get_error_message()}")
            elif answer.status == _SYNC:
                return True
            else:
                self._answers.append(answer)
        return False

    def _answered(self) -> list[PGresult]:
        sent, self._sent = self._sent, []
        answers, self._answers = self._answers, []
        failed = next((answer for answer in answers if answer.status in (_FAILED, _ABORTED)), None)
        if failed is not None:
            for (key, prepares), answer in zip(sent, answers, strict=False):
                if prepares and answer.status in (_FAILED, _ABORTED):
                    del self._names[key]
            error = psycopg.errors.error_from_result(failed, "utf-8")
            if error.sqlstate in PostgresDialect.OUTDATED:
                self._names.clear()
            raise error
        return [answer for (_, prepares), answer in zip(sent, answers, strict=True) if not prepares]


def _each(calls: Sequence[Call]) -> list[tuple[Statement, Params]]:
    return [
        (statement, row)
        for statement, params in calls
        for row in ((params,) if isinstance(params, dict) else params)
    ]
