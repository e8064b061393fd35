"""Frames of the runner's socket and of the supervisor's."""

import asyncio
import math
import os
import socket
import struct
from pathlib import Path

import pytest

from ao.sandbox import Entrypoint, SandboxSpec
from ao.sandbox.process.plan import Paths, first_words
from ao.sandbox.process.streams import RunnerSocket
from ao.sandbox.process.supervisor import control
from ao_runner import Retry, protocol
from ao_runner.results import last
from ao_runner.task import Failure


def never() -> asyncio.Future[None]:
    """A sandbox that does not end."""
    return asyncio.get_running_loop().create_future()


def test_a_message_survives_the_socket_and_its_end_is_none() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        message: dict[str, object] = {"type": "result", "value": "ü\ud83d\u2028"}
        theirs.sendall(protocol.encode(message))
        theirs.close()
        assert protocol.receive(ours) == message
        assert protocol.receive(ours) is None


@pytest.mark.parametrize(
    ("theirs", "spoken"), [([1], 1), ([1, 2], 2), ([2, 3], 2), ([7], 2), (None, 2), ("12", 2)]
)
def test_a_worker_speaks_the_newest_version_that_its_runner_knows(theirs: object, spoken: int) -> None:
    assert protocol.common(theirs) == spoken


def test_a_task_for_the_version_before_has_no_steps() -> None:
    spec = SandboxSpec(
        "id",
        Path("/code"),
        Path("/env"),
        Path("/python"),
        Entrypoint("function", "a:b"),
        "1",
        steps={"more": False},
    )
    paths = Paths("/work", "/tmp")
    assert first_words(spec, paths, egress=False)["steps"] == {"more": False}
    older = first_words(spec, paths, egress=False, version=1)
    assert older["protocol"] == 1
    assert "steps" not in older


NESTED = struct.pack(">I", 200_000) + b"[" * 200_000


@pytest.mark.parametrize(
    "data",
    [b"\0\0\0\5", struct.pack(">I", 2**31), b"\0\0\0\2[]", b"\0\0\0\1x", b'\0\0\0\x0a{"type":1}', NESTED],
)
async def test_nonsense_is_a_protocol_error_on_both_sides(data: bytes) -> None:
    for receive_async in (False, True):
        ours, theirs = socket.socketpair()
        with theirs:
            theirs.sendall(data)
            theirs.close()
            with pytest.raises(protocol.ProtocolError):  # noqa: PT012 - one of two ways
                if receive_async:
                    await RunnerSocket(ours, asyncio.get_running_loop().create_future()).receive()
                else:
                    with ours:
                        protocol.receive(ours)


async def test_frames_may_arrive_in_pieces_and_together() -> None:
    ours, theirs = socket.socketpair()
    reader = RunnerSocket(ours, asyncio.get_running_loop().create_future())
    data = b"".join(protocol.encode({"type": "partial", "value": number}) for number in range(3))
    with theirs:
        theirs.sendall(data[:7])
        theirs.sendall(data[7:])
        assert [(await reader.receive() or {})["value"] for _ in range(3)] == [0, 1, 2]
    assert await reader.receive() is None


def test_control_frames_keep_their_descriptors() -> None:
    inbox = control.Inbox()
    first = os.open(os.devnull, os.O_RDONLY)
    frames = control.pack({"op": "start", "fds": 1}) + control.pack({"op": "renew"})
    assert inbox.feed(frames[:3], [first]) == []
    assert inbox.feed(frames[3:], []) == [({"op": "start", "fds": 1}, [first]), ({"op": "renew"}, [])]
    os.close(first)


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"a": [1, {2, 3}]}, "result.a[1] is set"),
        ([math.inf], "result[0] is inf"),
        ({("a", "b"): 1}, "result has the key ('a', 'b'), a tuple"),
        ({"x": b"bytes"}, "result.x is bytes"),
    ],
)
def test_what_is_not_json_is_named_by_its_place(value: object, place: str) -> None:
    with pytest.raises(Failure, match="not JSON") as caught:
        last(None, value)  # type: ignore[arg-type]
    assert place in str(caught.value)


def test_a_value_that_contains_itself_is_named() -> None:
    loop: list[object] = []
    loop.append({"again": loop})
    with pytest.raises(Failure, match=r"result\[0\]\.again contains itself"):
        last(None, loop)  # type: ignore[arg-type]


def test_tuples_and_number_keys_are_json() -> None:
    frame = last(None, {"a": (1, 2), 3: None})  # type: ignore[arg-type]
    assert protocol.decode(frame[4:]) == {"type": "result", "value": {"a": [1, 2], "3": None}}


@pytest.mark.parametrize("after", [-1, math.inf, math.nan])
def test_a_retry_in_the_past_or_never_is_refused(after: float) -> None:
    with pytest.raises(ValueError, match="seconds from now"):
        Retry(after=after)
