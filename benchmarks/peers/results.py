"""What the turns of the contenders amount to, next to AO's."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.peers.contenders import AO, Contender
from benchmarks.peers.drivers.order import NOOP, SUBPROCESS, Answer
from benchmarks.report import number, table
from benchmarks.stats import Figure, durations, rates


@dataclass(frozen=True)
class Turns:
    """One contender with its answer of each round."""

    contender: Contender
    answers: list[Answer]


Key = tuple[str, str, str]
"""Contender, task, and `alone` or `burst` or `rate`."""
SHOWN = {NOOP: "no-op", SUBPROCESS: "no-op in a Python process that the code starts"}


def figures(turns: Sequence[Turns]) -> dict[Key, Figure]:
    found: dict[Key, Figure] = {}
    for each in turns:
        name = each.contender.name
        for task in each.contender.tasks:
            measured = [answer.tasks[task] for answer in each.answers]
            alone = durations(name, task, [one.alone for one in measured], "one at a time")
            burst = durations(name, task, [one.burst for one in measured], "all clients at once")
            rate = rates(
                name, task, [len(one.burst) / one.burst_elapsed for one in measured], "all clients at once"
            )
            found |= {(name, task, "alone"): alone, (name, task, "burst"): burst, (name, task, "rate"): rate}
    return found


def as_json(turns: Sequence[Turns], found: Mapping[Key, Figure]) -> list[dict[str, Any]]:
    return [
        {
            "name": each.contender.name,
            "settings": each.contender.settings,
            "process": each.contender.process,
            "isolation": each.contender.isolation,
            "durability": each.contender.durability,
            "ready_seconds": [round(answer.ready_seconds, 2) for answer in each.answers],
            "tasks": {
                task: {
                    what: found[each.contender.name, task, what].as_json()
                    for what in ("alone", "burst", "rate")
                }
                | _times_ao(found, each.contender.name, task)
                for task in each.contender.tasks
            },
        }
        for each in turns
    ]


def _times_ao(found: Mapping[Key, Figure], name: str, task: str) -> dict[str, Any]:
    """How many times AO's median latency and rate, in each round in which both took part."""
    if (AO, task, "alone") not in found:
        return {}
    return {
        f"{what}_times_ao": [
            a / b for a, b in zip(found[name, task, what].rounds, found[AO, task, what].rounds, strict=False)
        ]
        for what in ("alone", "rate")
    }


def tables(turns: Sequence[Turns], found: Mapping[Key, Figure]) -> str:
    parts = [_speed(turns, found, task) for task in (NOOP, SUBPROCESS)]
    return "\n\n".join([*parts, _traits(turns)])


def _speed(turns: Sequence[Turns], found: Mapping[Key, Figure], task: str) -> str:
    rows = []
    for each in turns:
        if task in each.contender.tasks:
            name = each.contender.name
            alone, rate = found[name, task, "alone"], found[name, task, "rate"]
            times = _times_ao(found, name, task)
            rows.append(
                [
                    name,
                    f"{number(alone.median)} ms",
                    number(alone.p99),
                    f"{number(alone.spread[0])}–{number(alone.spread[1])}",
                    str(alone.n),
                    _times(times.get("alone_times_ao")),
                    f"{number(rate.median)}/s",
                    f"{number(rate.spread[0])}–{number(rate.spread[1])}",
                    _times(times.get("rate_times_ao")),
                    each.contender.process,
                ]
            )
    header = [
        SHOWN[task], "median", "p99", "rounds", "n", "× AO", "throughput", "rounds", "× AO", "the code ran in",
    ]  # fmt: skip
    return table(header, rows)


def _times(values: Sequence[float] | None) -> str:
    return number(statistics.median(values)) if values else ""


def _traits(turns: Sequence[Turns]) -> str:
    rows = [
        [each.contender.name, each.contender.isolation, each.contender.durability, each.contender.settings]
        for each in turns
    ]
    return table(["", "isolation", "durability", "settings"], rows, text=True)
