"""Every error that AO raises on purpose.

AoError
├── UsageError            usage               the request or command makes no sense as given
├── InvalidInput          invalid_input       a value is refused; carries one problem per field
│   ├── InvalidConfig     invalid_config      `ao.toml` or settings are refused
│   └── UploadRefused     upload_refused      an uploaded project is hostile, too big or damaged
├── NotFound              not_found           no such agent, deployment, run, schedule, secret
├── Conflict              conflict            the thing exists, or its state forbids the action
│   ├── IdempotencyConflict  idempotency_conflict  same key, other request
│   ├── AlreadyAnswered   already_answered    the question has its answer, or nobody waits for one any more
│   ├── SessionBusy       session_busy        a run of the session has not ended
│   ├── StaleWrite        stale_write         the fence or state moved on: re-read, never overwrite
│   └── HomeInUse         home_in_use         another `ao up` holds this home
├── Unauthenticated       unauthenticated     no key, or a wrong one
├── Forbidden             forbidden           the key may not do this
├── RunFailed             run_failed          the run ended `failed` or `cancelled`
├── BuildFailed           build_failed        a deployment did not build
├── ServerUnreachable     server_unreachable  no AO server answers at the URL
├── WaitTimeout           wait_timeout        the caller's patience ended; the run goes on
├── Unavailable           unavailable         not ready, overloaded or shutting down: try again
│   ├── QueueFull         queue_full          too many runs wait; comes with when to try again
│   ├── StorageFull       storage_full        the disk is full; nothing accepted is lost
│   └── StorageClosed     storage_closed      AO may not write a file or directory of its own
├── DatabaseDamaged       database_damaged    the database file is corrupt; it was left untouched
├── SchemaTooNew          schema_too_new      the database was written by a newer AO
├── SchemaTooOld          schema_too_old      the database has to be migrated first
├── SandboxError          sandbox_error       a sandbox could not be made
└── InternalError         internal            a defect of AO

Each class has a stable `code` and knows nothing of HTTP or exit codes: `ao.wire.problems` and
`ao.cli.exits` hold the two tables, and a test fails when a class is missing from one of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with an input: where it is, what is wrong and what to do about it."""

    field: str
    """Dotted path of the field, such as `resources.memory`; empty for the whole document."""
    message: str
    hint: str = ""
    line: int | None = None
    """Line in the file, from 1, when the input was a file."""


class AoError(Exception):
    """An unexpected error happened."""

    code: ClassVar[str] = "error"

    def __init__(
        self,
        message: str = "",
        *,
        hint: str = "",
        details: Mapping[str, object] | None = None,
        problems: Sequence[Problem] = (),
    ) -> None:
        self.message = message or (type(self).__doc__ or "").strip().splitlines()[0]
        self.hint = hint
        self.details: dict[str, object] = dict(details or {})
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__(self.message)


class UsageError(AoError):
    """The command makes no sense as given."""

    code = "usage"


class InvalidInput(AoError):
    """The input is not valid."""

    code = "invalid_input"


class InvalidConfig(InvalidInput):
    """The configuration is not valid."""

    code = "invalid_config"


class UploadRefused(InvalidInput):
    """The upload was refused."""

    code = "upload_refused"


class NotFound(AoError):
    """There is no such thing."""

    code = "not_found"


class Conflict(AoError):
    """The request conflicts with the current state."""

    code = "conflict"


class IdempotencyConflict(Conflict):
    """This idempotency key was used for another request."""

    code = "idempotency_conflict"


class AlreadyAnswered(Conflict):
    """The question is no longer open."""

    code = "already_answered"


class SessionBusy(Conflict):
    """A run of the session has not ended."""

    code = "session_busy"


class StaleWrite(Conflict):
    """The run has a newer owner; this write was refused."""

    code = "stale_write"


class HomeInUse(Conflict):
    """Another AO server is using this home directory."""

    code = "home_in_use"


class Unauthenticated(AoError):
    """A valid API key is needed."""

    code = "unauthenticated"


class Forbidden(AoError):
    """This API key may not do that."""

    code = "forbidden"


class RunFailed(AoError):
    """The run did not complete."""

    code = "run_failed"


class BuildFailed(AoError):
    """The deployment did not build."""

    code = "build_failed"


class ServerUnreachable(AoError):
    """No AO server answers."""

    code = "server_unreachable"


class WaitTimeout(AoError):
    """The run had not ended in the time given; it goes on."""

    code = "wait_timeout"


class Unavailable(AoError):
    """The server cannot take this now; try again."""

    code = "unavailable"


class QueueFull(Unavailable):
    """Too many runs are waiting; try again later."""

    code = "queue_full"


class StorageFull(Unavailable):
    """The disk is full; nothing that was accepted is lost."""

    code = "storage_full"


class StorageClosed(Unavailable):
    """AO may not write a file or directory of its own."""

    code = "storage_closed"


class DatabaseDamaged(AoError):
    """The database file is damaged; it was left untouched."""

    code = "database_damaged"


class SchemaTooNew(AoError):
    """The database was written by a newer version of AO."""

    code = "schema_too_new"


class SchemaTooOld(AoError):
    """The database has to be migrated first."""

    code = "schema_too_old"


class SandboxError(AoError):
    """A sandbox could not be made."""

    code = "sandbox_error"


class InternalError(AoError):
    """A defect of AO."""

    code = "internal"
