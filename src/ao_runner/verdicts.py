"""Whether an exception is worth another try: what it says itself, then `[retries]` of ao.toml."""

from __future__ import annotations

from ao_runner import Permanent, Retry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ao_runner.task import Fields


def permanent_by(error: BaseException, rules: Fields) -> str:
    """What makes it permanent: its own class, or the class in `rules["permanent"]` that it belongs to. Empty
    when it is worth another try. The nearest of its classes that has a rule decides."""
    if isinstance(error, Permanent):
        return "ao_runner.Permanent"
    if not rules or isinstance(error, Retry):
        return ""
    for kind in type(error).__mro__:
        names = _names(kind)
        if any(name in rules["transient"] for name in names):
            return ""
        for name in names:
            if name in rules["permanent"]:
                return name
    return ""


def _names(kind: type) -> list[str]:
    """By itself, and with its module or one above: `json.JSONDecodeError` is at home in `json.decoder`."""
    above = kind.__module__.split(".")
    modules = [".".join(above[:length]) for length in range(len(above), 0, -1)]
    return [*(module + "." + kind.__qualname__ for module in modules), kind.__qualname__]
