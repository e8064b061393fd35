"""`ao server` and `ao worker` as processes on hosts of their own."""

import json
import os
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from tests.chaos.fleet.network import Host, die_with_parent

READY_SECONDS = 180.0
STOP_SECONDS = 180.0
WRONG_CLOCK = Path(__file__).parent / "wrong_clock"


class Process:
    """One of the fleet; it may be killed and started again in its home."""

    def __init__(self, role: str, host: Host, root: Path, settings: Mapping[str, str]) -> None:
        self.role = role
        self.host = host
        self.home = root / host.name
        self.log = root / f"{host.name}.log"
        self._clock = root / f"{host.name}.clock"
        path = [str(WRONG_CLOCK), *filter(None, [os.environ.get("PYTHONPATH")])]
        more = {"PYTHONPATH": os.pathsep.join(path), "CHAOS_CLOCK": str(self._clock)}
        self._settings = {**settings, **more}
        self.set_clock(0)
        self._process: subprocess.Popen[bytes] | None = None
        self.facts: dict[str, object] = {}

    @property
    def name(self) -> str:
        return self.host.name

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def status(self) -> int | None:
        """Exit status of the last process; None while it lives."""
        assert self._process is not None
        return self._process.poll()

    def start(self) -> None:
        self.begin()
        self.await_ready()

    def begin(self) -> None:
        arguments = ["--host", self.host.address, "--port", "7433"] if self.role == "server" else []
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AO_")}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.host.inside(sys.executable, "-m", "ao.cli", self.role, *arguments, "--json"),
                env={**kept, **self._settings, "AO_HOME": str(self.home)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                preexec_fn=die_with_parent,  # noqa: PLW1509  (one C call)
            )

    def await_ready(self) -> None:
        """Returns when it takes requests or runs; raises with its log when it does not."""
        assert self._process is not None
        assert self._process.stdout is not None
        late = threading.Timer(READY_SECONDS, self._process.kill)
        late.start()
        line = self._process.stdout.readline()
        late.cancel()
        if b'"home"' not in line:
            raise AssertionError(f"{self.name} did not start:\n{line!r}\n{self.log.read_text()[-4000:]}")
        self.facts = json.loads(line)

    def set_clock(self, seconds: float) -> None:
        """Set the wall clock of the process so much forward."""
        with self._clock.open("r+b" if self._clock.exists() else "w+b") as file:
            file.write(struct.pack("q", int(seconds * 1e9)))

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        assert self._process is not None
        with self._process as process:
            process.kill()

    def stop(self) -> int:
        """An orderly end; the exit status."""
        assert self._process is not None
        with self._process as process:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
        return int(self._process.returncode)
