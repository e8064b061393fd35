"""`make bench`: measure AO on this machine, write a JSON file, print tables. Exit status 1: a check failed."""

import argparse
import asyncio
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import host, report, source
from benchmarks.ao_up import DidNotStart
from benchmarks.closed_loop import WrongResult
from benchmarks.fleet import fleet
from benchmarks.idle import idle
from benchmarks.isolation import Shared
from benchmarks.measure import prepared, sqlite_settings
from benchmarks.plan import FULL, QUICK, SETTINGS, Plan
from benchmarks.source import Changed
from benchmarks.submit import Refused

DEFAULT_OUT = Path("build-output/bench.json")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few of everything: shows that it works")
    parser.add_argument("--rounds", type=int, help="how often everything is measured")
    parser.add_argument("--only", choices=["fleet"], help="only this part")
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, help="the JSON file (%(default)s)")
    options = parser.parse_args(arguments)
    plan = QUICK if options.quick else FULL
    if options.rounds:
        plan = Plan(**{**plan.as_json(), "rounds": options.rounds})
    try:
        if options.only == "fleet":
            document = asyncio.run(_measure_fleet(plan))
        else:
            document = asyncio.run(_measure(plan, quick=options.quick))
    except (DidNotStart, WrongResult, Shared, Refused, Changed) as error:
        print(f"error: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    report.write(options.out, document)
    print(f"\nwritten to {options.out}")
    return 0


async def _measure(plan: Plan, *, quick: bool) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="ao-bench-") as name:
        directory = Path(name)
        facts, load_before, code = host.facts(directory), host.load(), source.digest()
        at_rest = await idle(plan.idle, SETTINGS)
        async with prepared(plan, directory) as (measurement, cold):
            ticks, started = host.cpu_ticks(), time.perf_counter()
            for number in range(plan.rounds):
                print(f"round {number + 1} of {plan.rounds}", file=sys.stderr, flush=True)
                await measurement.round(cold)
            await measurement.starts.sustain()
            await measurement.check_packages()
            seconds = time.perf_counter() - started
            busy = host.busy_cores(ticks, host.cpu_ticks(), seconds)
            rollbacks = await measurement.rollbacks.cold_starts()
            figures, checks = measurement.figures(cold), measurement.checks()
            sandbox, starts = measurement.sandbox, measurement.starts
        several, fleet_facts = await fleet(plan)
        figures += several
        found = report.ratios(figures)
        load = {"before": load_before, "after": host.load(), "busy_cores": busy}
        document = {
            "schema": report.SCHEMA,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "quick": quick,
            "seconds": round(seconds, 1),
            "host": facts,
            "load": load,
            "versions": host.versions(),
            "source": code if quick else source.unchanged_since(code),
            "source_changed": source.digest() != code,
            "settings": {**plan.as_json(), **sandbox, "sqlite": sqlite_settings(directory), "ao": SETTINGS},
            "figures": [figure.as_json() for figure in figures],
            "ratios": [each.as_json() for each in found],
            "first_deploy_seconds": round(measurement.first_deploy_seconds, 3),
            "checks": checks,
            "idle": at_rest,
            "sustained": starts.sustained,
            "starts": starts.facts,
            "rollbacks": rollbacks,
            "fleet": fleet_facts,
        }
        print(report.figures_table(figures), report.ratios_table(found), _said(document), sep="\n\n")
        return document


async def _measure_fleet(plan: Plan) -> dict[str, Any]:
    figures, facts = await fleet(plan)
    print(report.figures_table(figures), _of_fleet(facts), sep="\n\n")
    return {
        "schema": report.SCHEMA,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "source": source.digest(),
        "versions": host.versions(),
        "figures": [figure.as_json() for figure in figures],
        "fleet": facts,
    }


def _of_fleet(facts: dict[str, Any]) -> str:
    if "missing" in facts:
        return f"fleet not measured: {facts['missing']}"
    cpu = ", ".join(f"{name} {seconds * 1e3:.2f} ms" for name, seconds in facts["cpu_seconds_per_run"].items())
    further = facts["statements_per_second_of_a_further"].items()
    more = ", ".join(f"{rate:.1f} with each further {name}" for name, rate in further)
    at_rest = f"{facts['statements_per_second_at_rest']:.1f} statements/s, and {more}"
    return f"fleet: sustained {facts['sustained']:.0f}/s; CPU a run: {cpu}; at rest {at_rest}"


def _said(document: dict[str, Any]) -> str:
    facts, checks, load = document["host"], document["checks"], document["load"]
    spaces, rest, rollbacks = checks["namespaces"], document["idle"], document["rollbacks"]
    sustained = (f"{name}: {rates[0]:.0f}/s" for name, rates in document["sustained"].items())
    packages = (f"import {name}: {how}" for name, how in document["starts"].get("packages", {}).items())
    return "\n".join(
        [
            *sustained,
            *packages,
            _of_fleet(document["fleet"]),
            f"idle: {rest['memory_bytes'] / 1e6:.0f} MB, {rest['share_of_a_core']:.2%} of a core; "
            f"rollbacks: {rollbacks['cold']} of {rollbacks['runs']} first runs started cold",
            f"{facts['cores']} cores ({facts['cpu']}), Linux {facts['kernel']}, Python {facts['python']}, "
            f"SQLite {facts['sqlite']} on {facts['file_system']}; load {load['before'][0]} before, "
            f"{load['busy_cores']} cores busy during {document['seconds']} s",
            f"{checks['runs']} runs, {checks['distinct_results']} distinct results, all right; "
            f"{spaces['pairs_alive_together']} pairs of runs alive together, "
            f"up to {spaces['most_at_once']} at once, "
            f"each with its own {', '.join(spaces['own_kinds']) or 'NO'} namespaces",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
