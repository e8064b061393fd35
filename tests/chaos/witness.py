"""A witness outside of AO: it hears of effects and commits from the agents themselves."""

import random
import socket
import socketserver
import threading
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

HOLD_SECONDS = 8.0
"""So long an agent is held between its effect and its commit at most; then it may go on."""
GO, DIE = b"go\n", b"die\n"


@dataclass
class _Held:
    """An agent that waits between its effect and its commit."""

    connection: socket.socket
    fated: bool = False


@dataclass
class Heard:
    """What was heard of one task."""

    effects: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """Path → attempts in which it had its effect."""
    commits: dict[str, int] = field(default_factory=dict)
    """Path → the first attempt that knew of the commit."""


class Witness:
    """Answers each effect only when it has counted it. Some agents it lets die in that moment, and before a
    blow against their worker it holds all of them there (`gather`)."""

    def __init__(self, rng: random.Random, die: float) -> None:
        self._rng = rng
        self._die = die
        """Share of effects after which the agent dies."""
        self._changed = threading.Condition()
        self._gathering = False
        self._held: list[_Held] = []
        self.blow = ""
        """What is being done to the platform right now."""
        self.heard: dict[int, Heard] = defaultdict(Heard)
        self.cuts: Counter[str] = Counter()
        """By what attempts were cut between an effect and its commit."""
        self._server = _Server(("127.0.0.1", 0), self)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        self.release()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def gather(self, count: int, seconds: float) -> None:
        """Hold every agent that comes between effect and commit; return when `count` are there, or it takes too
        long."""
        with self._changed:
            self._gathering = True
            self._changed.wait_for(lambda: len(self._held) >= count, seconds)

    def mourn(self, seconds: float) -> None:
        """Wait until all that were held have died, and let those go on that live longer."""
        with self._changed:
            self._changed.wait_for(lambda: not self._held, seconds)
        self.release()

    def release(self) -> None:
        with self._changed:
            self._gathering = False
            for held in self._held:
                _answer(held.connection, GO)

    def spare(self) -> None:
        """From now on nobody dies."""
        self._die = 0.0

    def hear(self, connection: socket.socket, said: list[str]) -> None:
        number, attempt, what, path = int(said[0]), int(said[1]), said[2], said[3]
        with self._changed:
            heard = self.heard[number]
            if what == "committed":
                heard.commits.setdefault(path, attempt)
                _answer(connection, GO)
                return
            heard.effects[path].append(attempt)
            fated = self._rng.random() < self._die
            if not fated and not self._gathering:
                _answer(connection, GO)
                return
            held = _Held(connection, fated)
            self._held.append(held)
            self._changed.notify_all()
            if fated:
                _answer(connection, DIE)
        self._watch(held)

    def _watch(self, held: _Held) -> None:
        """Wait until it was let go, or is dead: then its connection ends without a word."""
        try:
            held.connection.settimeout(HOLD_SECONDS)
            last = held.connection.recv(10)
        except TimeoutError:
            _answer(held.connection, GO)
            last = b"?"
        except OSError:
            last = b""
        with self._changed:
            self._held.remove(held)
            self._changed.notify_all()
            if last == b"":
                self.cuts["itself" if held.fated else self.blow or "sandbox"] += 1


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 200

    def __init__(self, address: tuple[str, int], witness: Witness) -> None:
        self.witness = witness
        super().__init__(address, _Handler)


class _Handler(socketserver.StreamRequestHandler):
    timeout = 30.0
    server: Any

    def handle(self) -> None:
        try:
            said = self.rfile.readline().decode().split()
            if len(said) == 4:  # else it was killed in the middle of a word
                self.server.witness.hear(self.connection, said)
        except OSError:
            return  # killed while it told


def _answer(connection: socket.socket, word: bytes) -> None:
    try:
        connection.sendall(word)
    except OSError:
        return  # it is dead: its end is counted where it is waited for
