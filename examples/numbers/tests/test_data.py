"""What the agent relies on in its data; an acceptance test runs it with numpy in its own environment."""

import csv
from pathlib import Path


def test_a_week_has_an_hour_per_row() -> None:
    with (Path(__file__).parents[1] / "data" / "week.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["hour"]) for row in rows] == list(range(7 * 24))
    assert all(float(row["latency_ms"]) > 0 for row in rows)
