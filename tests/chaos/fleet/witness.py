"""A witness outside of AO: it hears of every effect from the agents themselves, and when."""

import socketserver
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Heard:
    """Of one task. Instants are microseconds of this machine's clock, which is the database's, too."""

    effects: list[tuple[str, int, int]] = field(default_factory=list)
    """Path, attempt, instant."""
    commits: dict[str, int] = field(default_factory=dict)
    """Path → the first attempt that knew of the commit."""


class Witness:
    def __init__(self, address: str) -> None:
        self._lock = threading.Lock()
        self.heard: dict[int, Heard] = defaultdict(Heard)
        self.wrong: dict[str, float] = defaultdict(float)
        """Address of a host → seconds by which its clock is wrong; told to agents, whose clock that is."""
        self._server = _Server((address, 0), self)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def hear(self, number: int, attempt: int, what: str, path: str) -> None:
        now_us = time.time_ns() // 1000
        with self._lock:
            heard = self.heard[number]
            if what == "committed":
                heard.commits.setdefault(path, attempt)
            elif what == "effect":
                heard.effects.append((path, attempt, now_us))


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 200

    def __init__(self, address: tuple[str, int], witness: Witness) -> None:
        self.witness = witness
        super().__init__(address, _Handler)


class _Handler(socketserver.StreamRequestHandler):
    server: Any

    def handle(self) -> None:
        try:
            while line := self.rfile.readline():
                said = line.decode().split()
                if len(said) != 4 or not line.endswith(b"\n"):
                    return  # killed in the middle of a word
                self.server.witness.hear(int(said[0]), int(said[1]), said[2], said[3])
                wrong = self.server.witness.wrong[self.client_address[0]]
                self.connection.sendall(f"go {wrong}\n".encode())
        except OSError:
            return  # killed while it told
