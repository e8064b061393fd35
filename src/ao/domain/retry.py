"""When a failed attempt is tried again, and how long to wait first."""

import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass

JITTER_SECONDS = 1.0
"""The largest random addition to a delay; small enough to keep 1 s, 2 s, 4 s recognisable."""

ENDINGS = ("exit", "signal", "timeout", "out_of_memory", "limit")
"""Ways in which an attempt ends without an exception, as `RetryPolicy` names them."""

_CLASS = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_STATUS = re.compile(r"[1-9]\d{0,2}")
_LARGEST_STATUS = 255


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`max_retries` counts retries: 3 retries are 4 attempts."""

    max_retries: int = 3
    backoff: float = 2.0
    """Factor between one delay and the next; 1.0 keeps them equal."""
    initial_delay: float = 1.0
    """Seconds before the first retry."""
    max_delay: float = 300.0
    """Seconds; no delay grows beyond it (jitter comes on top)."""
    jitter: bool = True
    permanent: frozenset[str] = frozenset()
    """What is not tried again: classes of exceptions, which the runner knows, and endings, as `exit:2`."""
    transient: frozenset[str] = frozenset()
    """What is, although something wider is permanent."""

    def delay_seconds(self, failures: int, random: float) -> float:
        """Seconds to wait after the `failures`-th failed attempt (from 1); `random` is in [0, 1)."""
        exponent = min(failures - 1, 64)
        delay = min(self.max_delay, self.initial_delay * self.backoff**exponent)
        return delay + (random * JITTER_SECONDS if self.jitter else 0.0)

    def forbids(self, ending: str, exit_code: int | None, signal_name: str | None) -> str:
        """The entry that makes such an ending permanent; empty when it is tried again. The narrower counts."""
        for name in _names(ending, exit_code, signal_name):
            if name in self.transient:
                return ""
            if name in self.permanent:
                return name
        return ""


def check_rule(rule: str) -> str:
    """An entry of `permanent` or `transient`. Raises ValueError, which says what it can be."""
    kind, colon, value = rule.partition(":")
    if colon and kind == "exit":
        if not _STATUS.fullmatch(value) or int(value) > _LARGEST_STATUS:
            raise ValueError(
                f'{rule!r}: an exit status is a number from 1 to {_LARGEST_STATUS}, as in "exit:2"'
            )
    elif colon and kind == "signal":
        if value not in signal.Signals.__members__:
            raise ValueError(f'{rule!r}: a signal is given by its name, as in "signal:SIGSEGV"')
    elif not _CLASS.fullmatch(rule):
        raise ValueError(
            f'{rule!r} is neither a class of exceptions, such as "ValueError" or "mypkg.BadInput", nor '
            f'"exit:2", "signal:SIGSEGV" or one of {", ".join(ENDINGS)}'
        )
    return rule


def is_class(rule: str) -> bool:
    """Whether it names a class of exceptions, and not another ending."""
    return ":" not in rule and rule not in ENDINGS


def _names(ending: str, exit_code: int | None, signal_name: str | None) -> Iterator[str]:
    """What an entry may call it, the narrowest first."""
    if ending == "exit" and exit_code is not None:
        yield f"exit:{exit_code}"
    if ending == "signal" and signal_name is not None:
        yield f"signal:{signal_name}"
    yield ending
