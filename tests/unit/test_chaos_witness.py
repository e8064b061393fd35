"""What the chaos fleet counts as an effect after a lease."""

from tests.chaos.fleet.invariants import _late, _Run
from tests.chaos.fleet.witness import Heard

LEASES = {"first": 1_000_000, "second": 9_000_000}


def run() -> _Run:
    made = _Run("completed", 1, None)
    made.workers = {1: "first", 2: "second"}
    return made


def test_effects_within_leases_are_fine() -> None:
    heard = Heard(effects=[("a", 1, 999_999), ("a", 2, 1_500_000), ("b", 2, 8_999_999)])
    assert _late(run(), heard, LEASES) == []


def test_an_effect_after_its_workers_lease_is_late() -> None:
    ((_, told),) = _late(run(), Heard(effects=[("a", 1, 1_000_001)]), LEASES)
    assert told == "a in attempt 1 of 0, 0.0 ms late"


def test_an_effect_of_an_attempt_that_has_a_successor_is_late() -> None:
    heard = Heard(effects=[("a", 1, 500), ("a", 2, 600), ("b", 1, 700)])
    assert len(_late(run(), heard, LEASES)) == 1
