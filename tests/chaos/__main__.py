"""The soak in its long form: `make chaos ARGS="--runs 2000 --seed 7"`; for a fleet `ARGS="fleet --help"`."""

import argparse
import random
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.chaos.fleet import __main__ as fleet
from tests.chaos.soak import Form, Soak

from ao.testing import postgres


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--minutes", type=float, default=40.0, help="it has failed when it takes longer")
    parser.add_argument("--blows", type=int, default=0, help="0: one for twelve runs")
    parser.add_argument("--cuts", type=int, default=0, help="it has failed with fewer; 0: one for four runs")
    parser.add_argument("--cold", action="store_true", help="without warm starts")
    parser.add_argument("--postgres", action="store_true", help="on a Postgres of its own, not on SQLite")
    return parser.parse_args()


def main() -> int:
    if sys.argv[1:2] == ["fleet"]:
        return fleet.main(sys.argv[2:])
    given = arguments()
    cuts = given.cuts or given.runs // 4
    form = Form(given.runs, given.seed, given.minutes * 60, not given.cold, given.blows, cuts)
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ao-chaos-")))
        settings = {}
        if given.postgres:
            server = stack.enter_context(postgres.running())
            settings["AO_DATABASE_URL"] = server.url(server.create())
        counts = Soak(scratch / "home", settings, form).run()
    for name, count in sorted(counts.items()):
        print(f"{count:>8,}  {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
