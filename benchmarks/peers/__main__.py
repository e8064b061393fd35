"""`make bench-peers`: the same no-op, and the same work in a process of its own, on AO and other platforms.

Exit status 1 when a contender could not be measured; the others are reported all the same.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from ao.domain.errors import Unavailable
from ao.testing import postgres, redis
from benchmarks import host, report, source
from benchmarks.peers import environments, results
from benchmarks.peers.contenders import AO, CONTENDERS, Contender
from benchmarks.peers.contest import DriverFailed, Size, measure
from benchmarks.peers.results import Turns

FULL = Size(
    alone=300, burst=1000, slow_alone=2, slow_burst=4, concurrency=16, limit_seconds=4, driver_seconds=150
)
QUICK = Size(alone=3, burst=16, slow_alone=1, slow_burst=2, concurrency=8, limit_seconds=3, driver_seconds=120)
ROUNDS = 2
NUMBERS_PER_TURN = 10_000
DEFAULT_OUT = Path("build-output/bench-peers.json")
CACHE = Path(__file__).resolve().parents[2] / ".cache" / "peers"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few runs of each, once")
    parser.add_argument("--rounds", type=int, help=f"how often each is measured in turn ({ROUNDS})")
    parser.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="contenders with it in their name"
    )
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, help="the JSON file (%(default)s)")
    options = parser.parse_args(arguments)
    chosen = [each for each in CONTENDERS if each.name == AO or _wanted(each, options.only)]
    rounds = options.rounds or (1 if options.quick else ROUNDS)
    load, ticks, started, code = host.load(), host.cpu_ticks(), time.perf_counter(), source.digest()
    turns, failed = _contest(chosen, QUICK if options.quick else FULL, rounds)
    seconds = time.perf_counter() - started
    with tempfile.TemporaryDirectory() as directory:
        facts = host.facts(Path(directory))
    figures, versions = results.figures(turns), _versions(chosen)
    document = {
        "schema": report.SCHEMA,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "quick": options.quick,
        "seconds": round(seconds, 1),
        "rounds": rounds,
        "host": facts,
        "load": {
            "before": load,
            "after": host.load(),
            "busy_cores": host.busy_cores(ticks, host.cpu_ticks(), seconds),
        },
        "versions": versions,
        "source": source.unchanged_since(code),
        "contenders": results.as_json(turns, figures),
        "failed": failed,
    }
    report.write(options.out, document)
    print(results.tables(turns, figures), _said(versions), f"written to {options.out}", sep="\n\n")
    return 1 if failed else 0


def _wanted(contender: Contender, names: Sequence[str]) -> bool:
    return not names or any(name.lower() in contender.name.lower() for name in names)


def _contest(chosen: Sequence[Contender], size: Size, rounds: int) -> tuple[list[Turns], dict[str, str]]:
    """Everybody in turn, `rounds` times; who fails once is out."""
    turns = [Turns(each, []) for each in chosen]
    failed: dict[str, str] = {}
    number = 1
    with _database(chosen) as database:
        for round_number in range(1, rounds + 1):
            for each in turns:
                name = each.contender.name
                if name in failed or (each.contender.once and round_number > 1):
                    continue
                print(f"round {round_number} of {rounds}: {name}", file=sys.stderr, flush=True)
                try:
                    python = _python(each.contender)
                    with _url(each.contender, database) as url:
                        each.answers.append(measure(each.contender, python, size, number, url))
                except (DriverFailed, environments.NotInstalled) as error:
                    failed[name] = str(error)
                    print(f"error: {error}", file=sys.stderr, flush=True)
                number += NUMBERS_PER_TURN
    return [each for each in turns if each.contender.name not in failed], failed


@contextmanager
def _database(chosen: Sequence[Contender]) -> Iterator[postgres.PostgresServer | None]:
    """A Postgres whose commits are on the disk, when somebody needs one."""
    if not any(each.postgres for each in chosen):
        yield None
        return
    with postgres.running(durable=True) as server:
        yield server


@contextmanager
def _url(contender: Contender, database: postgres.PostgresServer | None) -> Iterator[str]:
    """A fresh database, or a Redis of its own, for a contender that wants one."""
    if database and contender.postgres:
        yield database.url(database.create())
    elif contender.redis is not None:
        with redis.running(*contender.redis) as server:
            yield server.url
    else:
        yield ""


def _python(contender: Contender) -> Path:
    return environments.python_of(contender.package, CACHE) if contender.package else Path(sys.executable)


def _versions(chosen: Sequence[Contender]) -> dict[str, str]:
    found = dict(host.versions())
    for package in {each.package for each in chosen if each.package}:
        found |= environments.versions(package, environments.python_of(package, CACHE))
    return found


def _said(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Unavailable as error:
        sys.exit(f"error: {error.message}")
    except source.Changed as error:
        sys.exit(f"error: {error}")
