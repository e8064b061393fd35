"""Servers and workers as separate processes on one database."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from tests.acceptance.command import SECONDS, Ao, Platform

from ao import Client


@dataclass
class Fleet:
    """What all of its processes are told, and the processes."""

    root: Path
    variables: dict[str, str]
    platforms: list[Platform] = field(default_factory=list)

    def start(self, role: str, name: str, *options: str, port: int = 0) -> Platform:
        """`ao server` or `ao worker` in a home of its own, ready."""
        ao = Ao(self.root / name, self.root)
        arguments = ["--port", str(port)] if role == "server" else ["--slots", "2"]
        process = ao.start(role, *arguments, *options, "--json", **self.variables)
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
