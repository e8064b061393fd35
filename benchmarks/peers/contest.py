"""Runs the drivers, one at a time: each starts its platform, measures it, and ends it again."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers.contenders import Contender
from benchmarks.peers.drivers.order import Answer, Order

ROOT = Path(__file__).resolve().parents[2]
MARK = "BENCHMARK_SCRATCH"
"""Set to the scratch directory in a driver and so in all that it starts: what is left is found by it."""

THEIRS = (
    "AO_",
    "CELERY_",
    "DBOS_",
    "LANGCHAIN_",
    "LANGGRAPH_",
    "LANGSMITH_",
    "PREFECT_",
    "PROCRASTINATE_",
    "RESTATE_",
    "TEMPORAL_",
)
"""How the settings of the platforms begin in the environment."""


@dataclass(frozen=True)
class Size:
    alone: int
    burst: int
    slow_alone: int
    slow_burst: int
    concurrency: int
    limit_seconds: float
    driver_seconds: float
    """A driver that takes longer, with all that it starts, is ended."""

    def order(self, contender: Contender, scratch: Path, first_number: int, database_url: str) -> Order:
        return Order(
            variant=contender.variant,
            scratch=str(scratch),
            tasks=list(contender.tasks),
            latency_runs=self.slow_alone if contender.slow else self.alone,
            burst_runs=self.slow_burst if contender.slow else self.burst,
            concurrency=self.concurrency,
            limit_seconds=self.limit_seconds,
            first_number=first_number,
            database_url=database_url,
        )


class DriverFailed(Exception):
    """A driver ended without an answer; the message holds the end of what it said."""


def measure(contender: Contender, python: Path, size: Size, first_number: int, database_url: str) -> Answer:
    """One turn of one contender. Raises DriverFailed."""
    with _scratch() as scratch:
        order = size.order(contender, scratch / "data", first_number, database_url)
        order.directory.mkdir()
        answer, said = scratch / "answer.json", scratch / "said.log"
        module = f"benchmarks.peers.drivers.{contender.driver}"
        environ = {
            **_inherited(),
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}",
            MARK: str(scratch),
            **contender.environ(order.directory),
        }
        command = [str(python), "-m", module, order.argument(), str(answer)]
        with said.open("wb") as log:
            driver = subprocess.Popen(
                command, env=environ, cwd=scratch, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
            _await(driver, size.driver_seconds)
        if driver.returncode != 0 or not answer.exists():
            raise DriverFailed(f"{contender.name} ended with {driver.returncode}:\n{_tail(said)}")
        return Answer.read(answer.read_text())


def _inherited() -> dict[str, str]:
    """Without variables that would change how a platform is set."""
    return {name: value for name, value in os.environ.items() if not name.startswith(THEIRS)}


def _await(driver: "subprocess.Popen[bytes]", seconds: float) -> None:
    """SIGINT first when it takes too long: the driver then ends what it started."""
    for patience, number in ((seconds, signal.SIGINT), (20.0, signal.SIGKILL)):
        try:
            driver.wait(patience)
        except subprocess.TimeoutExpired:
            driver.send_signal(number)
        else:
            return
    driver.wait()


@contextmanager
def _scratch() -> Iterator[Path]:
    """A directory that is removed, after what still runs with its mark has been ended by its process id."""
    with tempfile.TemporaryDirectory(prefix="ao-peers-", ignore_cleanup_errors=True) as name:
        try:
            yield Path(name)
        finally:
            for number in (signal.SIGTERM, signal.SIGKILL):
                for pid in _marked(name):
                    _end(pid, number)
                _until_gone(name, 5.0)


def _marked(scratch: str) -> list[int]:
    wanted = f"{MARK}={scratch}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                variables = (entry / "environ").read_bytes().split(b"\0")
            except OSError:
                continue  # it has just ended, or belongs to somebody else
            if wanted in variables:
                found.append(int(entry.name))
    return found


def _end(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _until_gone(scratch: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while _marked(scratch) and time.monotonic() < deadline:
        time.sleep(0.1)


def _tail(path: Path) -> str:
    return path.read_text(errors="replace")[-3000:]
