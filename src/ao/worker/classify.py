"""How an attempt ended, from what the runner said last and how the process tree ended."""

import json
import math
import signal
from dataclasses import dataclass, replace

from ao.domain.outcome import AttemptOutcome, ErrorInfo, OutcomeKind
from ao.domain.question import Pause
from ao.sandbox import Message, SandboxExit, StopCause

MAX_MESSAGE = 4_000
MAX_TRACEBACK = 32_000
MAX_WORD = 200
"""Characters of a type's or signal's name."""
MAX_RETRY_AFTER_SECONDS = 30 * 86_400.0

_STOPPED = {
    StopCause.TIMEOUT: (OutcomeKind.TIMEOUT, "the attempt took longer than its timeout"),
    StopCause.RUN_TIMEOUT: (OutcomeKind.RUN_TIMEOUT, "the run took longer than its run_timeout"),
    StopCause.CANCELLED: (OutcomeKind.CANCELLED, "cancelled while it was running"),
    StopCause.OUT_OF_MEMORY: (OutcomeKind.OUT_OF_MEMORY, "out of memory"),
    StopCause.PROCESSES: (OutcomeKind.LIMIT, "too many processes"),
    StopCause.DISK: (OutcomeKind.LIMIT, "too much disk space"),
    StopCause.OUTPUT: (OutcomeKind.LIMIT, "too much output"),
    StopCause.PROTOCOL: (OutcomeKind.LIMIT, "the runner's socket carried something else than its protocol"),
    StopCause.LOST: (OutcomeKind.LOST, "the sandbox supervisor died while the run was executing"),
    StopCause.LEASE: (OutcomeKind.LOST, "the worker lost its lease while the run was executing"),
    StopCause.SHUTDOWN: (OutcomeKind.LOST, "the worker was stopped while the run was executing"),
}
_HINTS = {
    StopCause.TIMEOUT: "raise `timeout` in ao.toml, or find what it waits for in the logs",
    StopCause.RUN_TIMEOUT: "raise `run_timeout` in ao.toml",
    StopCause.OUT_OF_MEMORY: "raise `[resources] memory` in ao.toml",
    StopCause.PROCESSES: "raise `[resources] pids` in ao.toml",
    StopCause.DISK: "raise `[resources] disk` in ao.toml",
}
_NOBODYS = (OutcomeKind.CANCELLED, OutcomeKind.LOST)
"""Ends that no step is to blame for."""


@dataclass(frozen=True, slots=True)
class Ending:
    """What is known when everything of an attempt is over."""

    last: Message | None
    """The runner's `result`, `error` or `pause`; None when it never came."""
    exit: SandboxExit
    pause: Pause | None = None
    step: str = ""
    """Path of the step that was not over."""


def classify(ending: Ending, sandbox: str) -> AttemptOutcome:
    """A result or a pause that arrived counts, whatever became of the processes afterwards."""
    exit_ = ending.exit
    kind, error, output = _kind(ending)
    last = ending.last if ending.last and ending.last["type"] == "error" and exit_.cause is None else {}
    return AttemptOutcome(
        kind=kind,
        output=output,
        error=error,
        permanent=bool(last.get("permanent")),
        retry_after_seconds=_delay(last.get("retry_after")),
        exit_code=error.exit_code if error else exit_.exit_code,
        max_rss_bytes=exit_.max_rss_bytes,
        cpu_seconds=exit_.cpu_seconds,
        sandbox=sandbox,
        pause=ending.pause if kind is OutcomeKind.PAUSED else None,
    )


def _kind(ending: Ending) -> tuple[OutcomeKind, ErrorInfo | None, str | None]:
    exit_, last = ending.exit, ending.last
    if last is not None and last["type"] == "result":
        return OutcomeKind.COMPLETED, None, storable(last.get("value"))[1]
    if ending.pause is not None:
        return OutcomeKind.PAUSED, None, None
    if exit_.cause is not None:
        kind, message = _STOPPED[exit_.cause]
        text = f"{message}: {exit_.detail}" if exit_.detail else message
        step = "" if kind in _NOBODYS else ending.step
        return kind, ErrorInfo(kind, text, hint=_HINTS.get(exit_.cause, ""), step=step), None
    if last is not None:
        error = _from_runner(last)
        return error.kind, error, None
    error = replace(_from_exit(exit_), step=ending.step)
    return error.kind, error, None


def lost(message: str) -> AttemptOutcome:
    """The end of an attempt that is nobody's fault but AO's, or the machine's."""
    return AttemptOutcome(OutcomeKind.LOST, error=ErrorInfo(OutcomeKind.LOST, message))


def overran(step: str, seconds: float) -> ErrorInfo:
    """The error of an attempt that ended because one of its steps could not be interrupted otherwise."""
    return ErrorInfo(
        OutcomeKind.TIMEOUT,
        f"step {step!r} took longer than its timeout of {seconds:g} s",
        type="StepTimeout",
        hint="raise the step's `timeout`, or `step_timeout` in ao.toml",
        step=step,
    )


def storable(value: object) -> tuple[object, str]:
    """A JSON value as every database and client takes it, and its text. The agent's process can say anything
    on its socket: half surrogate pairs become U+FFFD, numbers that JSON does not have become null."""
    try:
        text = _dump(value)
        text.encode()
    except ValueError:
        value = _mended(value)
        text = _dump(value)
    return value, text


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _mended(value: object) -> object:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [_mended(item) for item in value]
    if isinstance(value, dict):
        return {_text(str(key)): _mended(item) for key, item in value.items()}
    return value


def _text(text: str) -> str:
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _delay(asked: object) -> float | None:
    """Seconds to wait that the agent asked for, if they make sense."""
    if isinstance(asked, bool) or not isinstance(asked, int | float) or asked != asked:
        return None
    return float(min(max(asked, 0.0), MAX_RETRY_AFTER_SECONDS))


def _from_runner(last: Message) -> ErrorInfo:
    kinds = {"exit": OutcomeKind.EXIT, "signal": OutcomeKind.SIGNAL, "protocol": OutcomeKind.SANDBOX}
    exit_code = last.get("exit_code")
    return ErrorInfo(
        kind=kinds.get(str(last.get("kind")), OutcomeKind.ERROR),
        message=_text(str(last.get("message") or "unknown error"))[:MAX_MESSAGE],
        type=_text(str(last.get("error_type") or ""))[:MAX_WORD],
        traceback=_text(str(last.get("traceback") or ""))[-MAX_TRACEBACK:],
        hint=_text(str(last.get("hint") or ""))[:MAX_MESSAGE],
        exit_code=exit_code if isinstance(exit_code, int) and abs(exit_code) < 1 << 31 else None,
        signal=_text(str(last["signal"]))[:MAX_WORD] if last.get("signal") else None,
        step=_text(str(last.get("step") or ""))[:MAX_MESSAGE],
    )


def _from_exit(exit_: SandboxExit) -> ErrorInfo:
    """The process ended without a word: killed, or it left by os._exit."""
    if exit_.signal is not None:
        try:
            name = signal.Signals(exit_.signal).name
        except ValueError:
            name = f"signal {exit_.signal}"
        hint = "the kernel's out-of-memory killer does this too" if name == "SIGKILL" else ""
        return ErrorInfo(OutcomeKind.SIGNAL, f"the process was ended by {name}", hint=hint, signal=name)
    message = f"the process exited with status {exit_.exit_code} and gave no result"
    return ErrorInfo(OutcomeKind.EXIT, message, exit_code=exit_.exit_code)
