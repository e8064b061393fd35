"""The JSON document and the table of one run."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.stats import Figure, Ratio, ratio

SCHEMA = 1
COMMITS_PER_RUN = 2
"""Accepted and claimed at once where a slot is free, ended."""

COMPARED = (
    ("sandbox up", "spawn python in bubblewrap"),
    ("sandbox whole", "spawn python in bubblewrap"),
    ("submit → result", "spawn python"),
    ("submit → result", "spawn python in bubblewrap"),
    ("submit → result", "sandbox whole"),
    ("accept", "SQLite commit"),
    ("accept", "GET /livez"),
    ("checkpoint", "SQLite commit"),
    *(
        (f"{what}, {agent}, cold", f"{what}, {agent}, warm")
        for agent in ("stdlib", "openai")
        for what in ("alone", "throughput", "CPU")
    ),
)


def ratios(figures: Sequence[Figure]) -> list[Ratio]:
    """Those of `COMPARED` whose figures are there, and the run against its floor."""
    named = {figure.name: figure for figure in figures}
    found = [ratio(named[of], named[to]) for of, to in COMPARED if of in named and to in named]
    if "spawn python in bubblewrap" in named:
        found.append(ratio(named["submit → result"], _floor(named)))
    return found


def _floor(named: Mapping[str, Figure]) -> Figure:
    """One sandboxed interpreter, the commits of a run, and one HTTP exchange, as if nothing overlapped."""
    parts = zip(
        named["spawn python in bubblewrap"].rounds,
        named["SQLite commit"].rounds,
        named["GET /livez"].rounds,
        strict=True,
    )
    rounds = [spawn + COMMITS_PER_RUN * commit + http for spawn, commit, http in parts]
    name = f"floor (bubblewrap + {COMMITS_PER_RUN} commits + HTTP)"
    middle = sorted(rounds)[len(rounds) // 2]
    return Figure(name, "machine", "ms", len(rounds), middle, middle, middle, min(rounds), max(rounds), rounds)


def write(path: Path, document: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, text: bool = False) -> str:
    """Markdown, aligned. The first and the last column are text, with `text` all are; others are numbers."""
    widths = [max(len(row[index]) for row in (header, *rows)) for index in range(len(header))]
    left = [text or index in (0, len(header) - 1) for index in range(len(header))]

    def line(row: Sequence[str]) -> str:
        cells = [
            cell.ljust(width) if to_left else cell.rjust(width)
            for cell, width, to_left in zip(row, widths, left, strict=True)
        ]
        return f"| {' | '.join(cells)} |"

    rule = [
        "-" * width if to_left else "-" * (width - 1) + ":" for width, to_left in zip(widths, left, strict=True)
    ]
    return "\n".join([line(header), line(rule), *(line(row) for row in rows)])


def figures_table(figures: Sequence[Figure]) -> str:
    rows = []
    for figure in figures:
        low, high = figure.spread
        tail = ("", "") if figure.unit == "1/s" else (number(figure.p95), number(figure.p99))
        rows.append(
            [
                figure.name,
                f"{number(figure.median)} {figure.unit}",
                *tail,
                f"{number(low)}–{number(high)}",
                str(figure.n),
                figure.about,
            ]
        )
    return table(["figure", "median", "p95", "p99", "medians of rounds", "n", "what it is"], rows)


def ratios_table(found: Sequence[Ratio]) -> str:
    rows = [[f"{r.of} / {r.to}", f"{r.median:.2f}", f"{r.min:.2f}–{r.max:.2f}"] for r in found]
    return table(["ratio, within each round", "median", "rounds"], rows)


def number(value: float) -> str:
    """Three digits that count."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
