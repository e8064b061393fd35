"""A fleet in network namespaces under seeded faults: `make chaos ARGS="fleet --seed 7"`; as root."""

import argparse
import random
import signal
import sys
import tempfile
import textwrap
from pathlib import Path

from tests.chaos.fleet import network, services
from tests.chaos.fleet.faults import NAMES
from tests.chaos.fleet.soak import FleetSoak, Form, remove

_ABOUT = """Two servers and four workers, each in a network namespace of its own, with a Postgres, a Redis and
a witness that hears of every effect of every run. Under a steady load one fault comes after the other; after
each the rate of completed runs has to be back within 30 s, and in the end the promises of docs/fleet.md are
counted from the database and the witness. As root; all faults once take about six minutes."""


def _faults(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if unknown := [name for name in names if name not in NAMES]:
        raise argparse.ArgumentTypeError(f"there is no fault {unknown[0]!r}; --help lists them")
    return names


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="make chaos ARGS=fleet",
        description=_ABOUT,
        epilog=textwrap.fill(f"Faults: {', '.join(NAMES)}.", 100, break_on_hyphens=False),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    seed = random.SystemRandom().randrange(2**32)
    parser.add_argument("--seed", type=int, default=seed, help="it is printed, and repeats a run")
    parser.add_argument("--rounds", type=int, default=1, help="so often comes each fault")
    parser.add_argument("--rate", type=float, default=6.0, help="runs per second")
    parser.add_argument(
        "--faults", type=_faults, default=(), help="only these, in this order, with commas between them"
    )
    parser.add_argument(
        "--planted",
        action="store_true",
        help="break a promise on purpose: fails when the witness does not see it",
    )
    parser.add_argument("--keep", action="store_true", help="keep the logs of all processes")
    given = parser.parse_args(arguments)
    if why := network.why_not() or services.why_not():
        parser.error(why)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # hosts, mounts and processes are taken away again
    root = Path(tempfile.mkdtemp(prefix="ao-fleet-"))
    root.chmod(0o755)  # Postgres is another user
    soak = FleetSoak(root, Form(given.seed, given.faults, given.rounds, given.rate, planted=given.planted))
    try:
        soak.run()
    finally:
        print(soak.report())
        if given.keep:
            print(f"logs: {root}")
        else:
            remove(root)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
