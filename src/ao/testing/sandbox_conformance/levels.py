"""Which tests of the suite hold at which level: a pytest plugin that leaves out the others.

A fixture `variant` with the level as its parameter (`namespaces`, `landlock`, `degraded`, `docker`, each with
an optional `-variant`) says what is tested.
"""

import pytest

from ao.sandbox import Level

files_apart = pytest.mark.levels(Level.NAMESPACES, Level.DOCKER, Level.LANDLOCK)
"""Levels that hide the host's files."""
in_namespaces = pytest.mark.levels(*(level for level in Level if level.namespaced))
without_namespaces = pytest.mark.levels(Level.LANDLOCK, Level.DEGRADED)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = [item for item in items if not _holds(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def _holds(item: pytest.Item) -> bool:
    mark = item.get_closest_marker("levels")
    if mark is None or not isinstance(item, pytest.Function):
        return True
    level = str(item.callspec.params["variant"]).partition("-")[0]
    return Level(level) in mark.args
