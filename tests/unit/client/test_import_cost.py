"""Starting is cheap: what is not needed is not imported."""

import subprocess
import sys

import pytest

HEAVY = {"pydantic", "httpx", "fastapi", "structlog", "sqlalchemy", "ao.wire.schemas"}


def measured(code: str) -> tuple[float, set[str]]:
    """(fewest milliseconds of CPU in five tries, heavy modules loaded) of `code` in a fresh interpreter."""
    script = (
        "import time, sys; start = time.process_time(); "
        f"{code}; print((time.process_time() - start) * 1000); print(*sys.modules)"
    )
    best, loaded = float("inf"), set[str]()
    for _ in range(5):
        out = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
        elapsed, modules = out.splitlines()[-2:]
        best, loaded = min(best, float(elapsed)), HEAVY & set(modules.split())
    return best, loaded


def test_importing_ao_costs_next_to_nothing() -> None:
    milliseconds, heavy = measured("import ao")
    assert milliseconds < 20
    assert heavy == set()


@pytest.mark.parametrize(
    "code", ["import ao; ao.Client('http://127.0.0.1:9')", "import ao; ao.errors.NotFound()"]
)
def test_the_client_starts_without_the_heavy_libraries(code: str) -> None:
    assert measured(code)[1] == set()
