"""Runs one attempt of an agent inside its sandbox. What agents may import from here is in `__all__`.

`step`, `span`, `ask`, `models` and the others are loaded when they are first used: most runs need none of them.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ao_runner.pauses import Approval, approve, ask, sleep, sleep_until
    from ao_runner.release import model, models, prompt
    from ao_runner.sessions import session
    from ao_runner.steps import idempotency_key, span, step


class Permanent(Exception):
    """Raise it when trying again is pointless: the run fails at once, whatever the retry policy says."""


class Retry(Exception):
    """Raise it to be tried again, `after` seconds from now instead of when the retry policy says."""

    def __init__(self, message: str = "", after: "float | None" = None) -> None:
        if after is not None and not 0 <= after < float("inf"):
            raise ValueError("`after` is a number of seconds from now, 0 or more")
        super().__init__(message)
        self.after = after


class Refused(Permanent, ValueError):
    """What AO was asked for makes no sense, or is too large: another try would be refused alike."""


class StepInDoubt(Permanent):
    """A step with `once=True` was cut off after its start: nobody knows whether it had its effect."""


class StepDiverged(Permanent):
    """A step was recorded with another input than it is given now: the code does not repeat itself."""


class StepConflict(Permanent):
    """Two steps cannot be told apart: give each a `key`."""


class StepUnstorable(Permanent):
    """What a step returned cannot be recorded, or is too large."""


class StepTimeout(TimeoutError):
    """A step took longer than its timeout."""


class AnswerTimeout(Permanent):
    """Nobody answered a question in time."""


_LAZY = {
    "Approval": "pauses",
    "approve": "pauses",
    "ask": "pauses",
    "idempotency_key": "steps",
    "model": "release",
    "models": "release",
    "prompt": "release",
    "session": "sessions",
    "sleep": "pauses",
    "sleep_until": "pauses",
    "span": "steps",
    "step": "steps",
}

__all__ = [
    "AnswerTimeout",
    "Approval",
    "Permanent",
    "Refused",
    "Retry",
    "StepConflict",
    "StepDiverged",
    "StepInDoubt",
    "StepTimeout",
    "StepUnstorable",
    "approve",
    "ask",
    "idempotency_key",
    "model",
    "models",
    "prompt",
    "session",
    "sleep",
    "sleep_until",
    "span",
    "step",
]


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError("module %r has no attribute %r" % (__name__, name))
    from importlib import import_module  # noqa: PLC0415 - most runs need none

    value = getattr(import_module("ao_runner." + _LAZY[name]), name)
    globals()[name] = value
    return value
