"""Whether an exception is worth another try: what it says itself, then `[retries]` of ao.toml."""

from __future__ import annotations

from ao_runner import Permanent, Retry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Sequence

    from ao_runner.task import Fields

_MAX_TEXT = 4_000


def permanent_by(error: BaseException, rules: Fields) -> str:
    """What makes it permanent: its own class, or the class in `rules["permanent"]` that it belongs to. Empty
    when it is worth another try. The nearest of its classes that has a rule decides; of a group, unless a rule
    names groups, one that is permanent."""
    if isinstance(error, Permanent):
        return "ao_runner.Permanent"
    if isinstance(error, Retry):
        return ""
    if not _is_group(type(error)):
        return _rule(type(error).__mro__, rules) or ""
    named = _rule([kind for kind in type(error).__mro__ if _is_group(kind)], rules)
    if named is not None:
        return named
    return next((rule for leaf in leaves(error) if (rule := permanent_by(leaf, rules))), "")


def leaves(error: BaseException) -> list[BaseException]:
    """The exceptions in a group, such as `asyncio.TaskGroup` raises; any other error is its only one."""
    if not _is_group(type(error)):
        return [error]
    return [leaf for each in error.exceptions for leaf in leaves(each)]  # type: ignore[attr-defined]


def decisive(error: BaseException, rules: Fields) -> BaseException:
    """The exception in a group that says what becomes of the run: the first that is permanent, else the `Retry`
    that asks for the longest wait, else the first of all."""
    found = leaves(error)
    permanent = [leaf for leaf in found if permanent_by(leaf, rules)]
    asking = [leaf for leaf in found if isinstance(leaf, Retry)]
    asking.sort(key=lambda retry: retry.after or 0.0, reverse=True)
    return (permanent or asking or found)[0]


def in_short(error: BaseException, rules: Fields) -> dict[str, str]:
    """What the event of a step says of it."""
    one = decisive(error, rules)
    kind = type(one).__qualname__
    return {"type": kind, "message": ("%s: %s" % (kind, one) if str(one) else kind)[:_MAX_TEXT]}


def _is_group(kind: type) -> bool:
    """By name: Python has groups since 3.11, and packages bring them to older ones."""
    return any(each.__name__ == "BaseExceptionGroup" for each in kind.__mro__)


def _rule(kinds: Sequence[type], rules: Fields) -> str | None:
    """The entry of `permanent` that counts; empty for one of `transient`, None when there is neither."""
    for kind in kinds if rules else ():
        names = _names(kind)
        if any(name in rules["transient"] for name in names):
            return ""
        for name in names:
            if name in rules["permanent"]:
                return name
    return None


def _names(kind: type) -> list[str]:
    """By itself, and with its module or one above: `json.JSONDecodeError` is at home in `json.decoder`."""
    above = kind.__module__.split(".")
    modules = [".".join(above[:length]) for length in range(len(above), 0, -1)]
    return [*(module + "." + kind.__qualname__ for module in modules), kind.__qualname__]
