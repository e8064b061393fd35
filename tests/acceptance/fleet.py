"""Servers and workers as separate processes on one database."""

import base64
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.acceptance.command import SECONDS, Ao, Platform

from ao import Client


@dataclass
class Fleet:
    """What all of its processes are told, and the processes."""

    root: Path
    variables: dict[str, str]
    source: Path | None = None
    """Of another version of AO; None: this one."""
    platforms: list[Platform] = field(default_factory=list)

    def start(self, role: str, name: str, *options: str, port: int = 0) -> Platform:
        """`ao server` or `ao worker` in a home of its own, ready."""
        ao = Ao(self.root / name, self.root)
        arguments = ["--port", str(port)] if role == "server" else ["--slots", "2"]
        told = self.variables if self.source is None else {**self.variables, "PYTHONPATH": str(self.source)}
        process = ao.start(role, *arguments, *options, "--json", **told)
        assert process.stdout is not None
        line = process.stdout.readline()
        if '"home"' not in line:
            raise AssertionError(f"ao {role} did not start: {line}{process.communicate(timeout=SECONDS)}")
        platform = Platform(ao, process, json.loads(line))
        self.platforms.append(platform)
        return platform

    def end(self) -> None:
        for platform in self.platforms:
            if platform.process.poll() is None:
                assert platform.stop().status == 0
            platform.ao.end()


def client_of(server: Platform) -> Client:
    return Client(server.facts["url"], (server.ao.home / "key").read_text())


@contextmanager
def running_fleet(root: Path, variables: Mapping[str, str], source: Path | None = None) -> Iterator[Fleet]:
    """Without processes at first; those that are started in the block are stopped in order, and end with 0."""
    given = {
        "AO_BLOBS": str(root / "shared"),
        "AO_SECRETS_KEY": base64.b64encode(os.urandom(32)).decode(),
        "AO_LEASE_SECONDS": "8",
        "AO_HEARTBEAT_SECONDS": "1",
        "AO_DRAIN_SECONDS": "0",
        **variables,
    }
    fleet = Fleet(root, given, source=source)
    try:
        yield fleet
        fleet.end()
    finally:
        for platform in fleet.platforms:
            platform.ao.end()
