"""Outside of AO steps are plain calls."""

import importlib.util
from pathlib import Path

_spec = importlib.util.spec_from_file_location("research", Path(__file__).parents[1] / "agent.py")
assert _spec is not None
assert _spec.loader is not None
agent = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(agent)


def test_what_most_sources_have_in_common() -> None:
    report = agent.research({})
    assert report["sources"] == 4
    assert {"crash", "tasks", "worker"} <= set(report["common"])
