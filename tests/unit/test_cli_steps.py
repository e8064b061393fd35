"""Steps as the command draws them."""

import re

from ao.cli.steps import tree


def step(path: str, parent: str | None = None) -> dict[str, object]:
    return {
        "path": path,
        "parent": parent,
        "kind": "step",
        "state": "completed",
        "attempt": 1,
        "started_at": "2026-11-20T10:00:00Z",
        "finished_at": None,
        "error": None,
    }


def test_what_is_inside_of_a_step_is_below_it_also_where_the_step_began_anew_later() -> None:
    lines = tree([step("a"), step("outer/in", "outer"), step("outer"), step("lost/in", "lost")])
    plain = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines]
    assert plain == ["  ✓ a", "  ✓ outer", "    ✓ in", "  ✓ in"]
