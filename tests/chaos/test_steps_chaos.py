"""The soak in its short forms; `make chaos` is the long one. CHAOS_SEED repeats one; it is printed."""

import os
import random
from pathlib import Path

from tests.chaos.soak import Form, Soak


def form(runs: int, *, warm: bool = True) -> Form:
    seed = int(os.environ.get("CHAOS_SEED", random.SystemRandom().randrange(2**32)))
    return Form(runs, seed, seconds=600.0, warm=warm)


def test_no_recorded_step_is_executed_again_under_kills(tmp_path: Path) -> None:
    print(Soak(tmp_path / "home", {}, form(60)).run())


def test_no_recorded_step_is_executed_again_when_runs_start_cold(tmp_path: Path) -> None:
    print(Soak(tmp_path / "home", {}, form(24, warm=False)).run())


def test_no_recorded_step_is_executed_again_on_postgres(tmp_path: Path, postgres_url: str) -> None:
    print(Soak(tmp_path / "home", {"AO_DATABASE_URL": postgres_url}, form(24)).run())
