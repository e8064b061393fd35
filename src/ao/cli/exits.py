"""Exit status of the command: one table, error class → status. A test fails when a class is missing."""

from collections.abc import Mapping

from ao.domain import errors

OK = 0
FAILED = 1
USAGE = 2
TIMEOUT = 124
INTERRUPTED = 130
INTERNAL = 70

STATUS: Mapping[type[errors.AoError], int] = {
    errors.AoError: INTERNAL,
    errors.InternalError: INTERNAL,
    errors.RunFailed: FAILED,
    errors.BuildFailed: FAILED,
    errors.SandboxError: FAILED,
    errors.DatabaseDamaged: FAILED,
    errors.SchemaTooNew: FAILED,
    errors.SchemaTooOld: FAILED,
    errors.UsageError: USAGE,
    errors.NotFound: 3,
    errors.Conflict: 4,
    errors.IdempotencyConflict: 4,
    errors.AlreadyAnswered: 4,
    errors.SessionBusy: 4,
    errors.StaleWrite: 4,
    errors.HomeInUse: 4,
    errors.InvalidInput: 5,
    errors.InvalidConfig: 5,
    errors.UploadRefused: 5,
    errors.Unauthenticated: 6,
    errors.Forbidden: 6,
    errors.ServerUnreachable: 7,
    errors.Unavailable: 7,
    errors.StorageFull: 7,
    errors.StorageClosed: 7,
    errors.QueueFull: 7,
    errors.WaitTimeout: TIMEOUT,
}

MEANING: Mapping[int, str] = {
    OK: "done",
    FAILED: "the run or the build failed, or was cancelled",
    USAGE: "the command line makes no sense",
    3: "there is no such agent, version, run or secret",
    4: "a conflict, such as a reused idempotency key or a home that is in use",
    5: "`ao.toml`, an input or an upload is not valid",
    6: "no API key, a wrong one, or one that may not do this",
    7: "the server cannot be reached, or is not ready",
    INTERNAL: "a defect of AO",
    TIMEOUT: "the time given to wait is over; the run goes on",
    INTERRUPTED: "Ctrl-C; a run goes on",
}


def status_of(error: errors.AoError) -> int:
    """The status of the nearest class in the table."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
