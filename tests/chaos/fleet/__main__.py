"""A fleet in network namespaces under seeded faults: `make chaos ARGS="fleet --seed 7"`; as root."""

import argparse
import random
import signal
import sys
import tempfile
from pathlib import Path

from tests.chaos.fleet import network, services
from tests.chaos.fleet.soak import FleetSoak, Form, remove


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make chaos ARGS=fleet", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--rounds", type=int, default=1, help="so often comes each fault")
    parser.add_argument("--rate", type=float, default=6.0, help="runs per second")
    parser.add_argument("--faults", default="", help="only these, in this order, with commas between them")
    parser.add_argument("--keep", action="store_true", help="keep the logs of all processes")
    given = parser.parse_args(arguments)
    if why := network.why_not() or services.why_not():
        parser.error(why)
    faults = tuple(name for name in given.faults.split(",") if name)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # hosts, mounts and processes are taken away again
    root = Path(tempfile.mkdtemp(prefix="ao-fleet-"))
    root.chmod(0o755)  # Postgres is another user
    soak = FleetSoak(root, Form(given.seed, faults, given.rounds, given.rate))
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
