import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ao_runner import sleep, step


class Witness:
    def __init__(self, connection: socket.socket, number: int) -> None:
        self._connection = connection
        self._number = number

    def tell(self, what: str, path: str) -> float:
        """Returns by how much the clock of this host is wrong."""
        self._connection.sendall(f"{self._number} {os.environ['AO_ATTEMPT']} {what} {path}\n".encode())
        answer = self._connection.recv(100).split()
        if len(answer) != 2:
            raise ConnectionError("the witness has gone")
        return float(answer[1])


@contextmanager
def witness_of(task: dict[str, Any]) -> Iterator[Witness]:
    with socket.create_connection((task["host"], task["port"])) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield Witness(connection, task["number"])


def set_clock(wrong_by: float) -> None:
    """As that of the host, which the sandbox of a test shares with hosts whose clocks are right."""
    right = time.time
    time.time = lambda: right() + wrong_by


def act(witness: Witness, path: str, value: int, seconds: float) -> int:
    witness.tell("effect", path)
    time.sleep(seconds)
    return value


def work(task: dict[str, Any]) -> dict[str, Any]:
    total = 0
    with witness_of(task) as witness:
        set_clock(witness.tell("started", "-"))
        for number in range(task["steps"]):
            path = f"act[{number}]"
            total += step.run("act", act, witness, path, number, task["pause"], key=str(number))
            witness.tell("committed", path)
        for number in range(task["plain"]):
            total += act(witness, f"plain[{number}]", number, task["pause"])
    if task["sleeps"]:
        sleep(task["sleeps"])
        with witness_of(task) as witness:
            total += step.run("last", act, witness, "last", 1000, 0.0)
            witness.tell("committed", "last")
    return {"number": task["number"], "total": total}
