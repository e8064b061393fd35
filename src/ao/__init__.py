"""Release, run and watch AI agents in production, on your own machines.

`ao.Client` and `ao.AsyncClient` speak to an AO server; `ao.errors` has everything that they raise.
The names are imported when they are used: `import ao` itself costs nothing.
"""

import sys

TYPE_CHECKING = False  # what type checkers know as true; `typing` is left alone to start faster
if TYPE_CHECKING:
    from ao.client.api import Client
    from ao.client.async_api import AsyncClient
    from ao.domain import errors

__version__ = "0.1.0"

__all__ = ["AsyncClient", "Client", "errors"]

_HOMES = {
    "Client": ("ao.client.api", "Client"),
    "AsyncClient": ("ao.client.async_api", "AsyncClient"),
    "errors": ("ao.domain.errors", None),
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'ao' has no attribute {name!r}")
    module, attribute = _HOMES[name]
    __import__(module)
    value = sys.modules[module]
    return getattr(value, attribute) if attribute else value
