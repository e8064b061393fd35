"""The `ao` command as users have it: a subprocess, with a home of its own."""

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SECONDS = 180.0
"""How long one command may take; far above what any needs."""


@dataclass(frozen=True, slots=True)
class Result:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class Ao:
    """The command in one home and one working directory."""

    home: Path
    cwd: Path
    started: "list[subprocess.Popen[str]]" = field(default_factory=list)

    @property
    def env(self) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith("AO_")}
        return {**own, "AO_HOME": str(self.home), "COLUMNS": "200"}

    def start(self, *arguments: str, **variables: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-m", "ao.cli", *arguments],
            cwd=self.cwd,
            env={**self.env, **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert process.stderr is not None
        with contextlib.suppress(AttributeError, OSError):  # a log that nobody reads meanwhile
            fcntl.fcntl(process.stderr, fcntl.F_SETPIPE_SZ, 1 << 20)
        self.started.append(process)
        return process

    def end(self) -> None:
        """Leave no process behind, whatever a test did."""
        for process in self.started:
            with process:
                process.kill()

    def __call__(self, *arguments: str, stdin: str = "", **variables: str) -> Result:
        with self.start(*arguments, **variables) as process:
            try:
                out, err = process.communicate(stdin, timeout=SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
            return Result(process.returncode, out, err)

    def ok(self, *arguments: str, stdin: str = "", **variables: str) -> Result:
        """The result of a command that must succeed."""
        result = self(*arguments, stdin=stdin, **variables)
        assert result.status == 0, f"ao {' '.join(arguments)}: {result.status}\n{result.out}\n{result.err}"
        return result


@dataclass(slots=True)
class Platform:
    """A running `ao up` and the command beside it."""

    ao: Ao
    process: "subprocess.Popen[str]"
    facts: dict[str, Any]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> Result:
        """Signal it and wait for its end."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=SECONDS)
        return Result(self.process.returncode, out, err)


def platform_up(ao: Ao, *arguments: str, **variables: str) -> Platform:
    """`ao up` on a free port, ready."""
    process = ao.start("up", "--port", "0", "--json", *arguments, **variables)
    assert process.stdout is not None
    line = process.stdout.readline()
    if '"url"' not in line:
        out, err = process.communicate(timeout=SECONDS)
        raise AssertionError(f"ao up ended with {process.returncode}: {line}{out}{err}")
    return Platform(ao, process, json.loads(line))
