"""A fleet under faults, in the short form of `make chaos ARGS=fleet`. CHAOS_SEED repeats one; it is printed."""

import os
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.chaos.fleet import network, services
from tests.chaos.fleet.cluster import Size
from tests.chaos.fleet.soak import FleetSoak, Form, remove
from tests.databases import missing

RATE, PATIENCE = 3.0, 4.0
"""Whether it is quick is for `make chaos`, on a machine that does nothing else."""
FAULTS = ("worker-killed", "cut-from-both", "postgres-crashed")


@pytest.fixture
def root() -> Iterator[Path]:
    """Where another user, that of Postgres, can look into."""
    root = Path(tempfile.mkdtemp(prefix="ao-fleet-"))
    root.chmod(0o755)
    yield root
    remove(root)


def test_a_fleet_keeps_its_promises_when_parts_of_it_are_lost(root: Path) -> None:
    if why := network.why_not() or services.why_not():
        missing(why)
    seed = int(os.environ.get("CHAOS_SEED", random.SystemRandom().randrange(2**32)))
    size = Size(lease_seconds=4.0, heartbeat_seconds=1.0)
    soak = FleetSoak(root, Form(seed, FAULTS, rate=RATE, size=size, patience=PATIENCE))
    try:
        soak.run()
    finally:
        print(soak.report())
