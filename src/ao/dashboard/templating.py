"""Templates: strict about what is missing, safe about what is shown."""

import json
from collections.abc import Callable

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from ao.dashboard import formats
from ao.domain.tracebacks import shortened

_MOST_TRACEBACK = 100_000


def environment(asset: Callable[[str], str], base: str) -> Environment:
    """The environment of all pages. `now_us` must be in the context of a page that shows ages."""
    made = Environment(
        loader=PackageLoader("ao.dashboard"),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals |= {"asset": asset, "base": base, "time": _time, "plural": formats.plural}
    made.filters |= {
        "duration": formats.duration,
        "exact": formats.exact,
        "iso": formats.iso,
        "clock": formats.clock,
        "size": formats.size,
        "count": formats.count,
        "percent": formats.percent,
        "age": formats.age,
        "digest": formats.digest,
        "pretty": pretty,
        "told": formats.told,
        "traceback": _traceback,
    }
    return made


def _traceback(text: str) -> str:
    return formats.told(shortened(text), _MOST_TRACEBACK)


@pass_context
def _time(context: Context, instant_us: int | None, relative: bool = True) -> Markup:
    """An instant: how long ago, with the exact time to read, to copy and for scripts."""
    if instant_us is None:
        return Markup("–")
    exact = formats.exact(instant_us)
    shown = formats.age(instant_us, context["now_us"]) if relative else exact
    return Markup('<time datetime="{}" title="{}"{}>{}</time>').format(
        formats.iso(instant_us), exact, Markup(" data-age") if relative else "", shown
    )


def pretty(value: object) -> str:
    """A JSON value as people read it."""
    return json.dumps(value, indent=2, ensure_ascii=False)
