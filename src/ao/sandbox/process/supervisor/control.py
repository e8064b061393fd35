"""How a worker and its supervisor talk, over one Unix stream socket.

A frame is a 4-byte big-endian length and that many bytes of JSON, an object with an `op`. File descriptors
travel beside the first byte of the frame that names how many it brings (`fds`).

worker → supervisor
    start  {id, launch, fds: 3, limits}  fds: stdout, stderr, the runner's socket; `launch` is one of
               {kind: "bwrap", program, args: [..], filter, command: [..]}
               {kind: "confine", argv, env, cwd, filter, landlock, uid}
           `filter` is a base64 BPF program, `limits` has memory, processes, files and file_bytes
           with `slot` instead of descriptors: a sandbox with a template, see `slot` and `keeper`
    fork   {slot, id, fds: 3}            a free slot's template makes a child, which waits for its task
    begin  {slot}                        the child has had its task for a while: watch its limits
    stop   {id, cause, grace}            grace in seconds: SIGTERM first
    renew  {seconds}                     the kill deadline, from now, on CLOCK_BOOTTIME
supervisor → worker
    ready    {pid}                       once, when the lock is held
    started  {id, pid, namespaces}       the first process exists; pid 1 of its namespace where there is one
    exited   {id, code, signal, cause, detail, max_rss, cpu}   the whole tree is gone
    refused  {id, message}               it never started
    slot     {id, state: "free", bytes, namespaces, pid}   its runs left nothing: it takes the next `fork`
    slot     {id, state: "dead", reason, lasting}   it is about to be gone
"""

import array
import json
import os
import socket
import struct

HEADER = struct.Struct(">I")
MAX_FRAME_BYTES = 32 << 20
MAX_FDS = 64
CHUNK_BYTES = 1 << 16

Message = dict[str, object]
_encode = json.JSONEncoder(separators=(",", ":")).encode


class ControlError(Exception):
    """The peer sent something that is not this protocol."""


def pack(message: Message) -> bytes:
    body = _encode(message).encode()
    return HEADER.pack(len(body)) + body


class Inbox:
    """Puts frames and their descriptors together again."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._fds: list[int] = []

    def feed(self, data: bytes, fds: list[int]) -> list[tuple[Message, list[int]]]:
        """The frames that are complete now. Their descriptors belong to the caller."""
        self._buffer += data
        self._fds += fds
        frames: list[tuple[Message, list[int]]] = []
        while len(self._buffer) >= HEADER.size:
            (length,) = HEADER.unpack_from(self._buffer)
            if length > MAX_FRAME_BYTES:
                raise ControlError(f"frame of {length} bytes is larger than {MAX_FRAME_BYTES}")
            end = HEADER.size + length
            if len(self._buffer) < end:
                break
            message = json.loads(bytes(self._buffer[HEADER.size : end]))
            del self._buffer[:end]
            count = message.get("fds", 0)
            frames.append((message, self._fds[:count]))
            del self._fds[:count]
        return frames


def read(sock: socket.socket) -> tuple[bytes, list[int]]:
    """What has arrived; no bytes means that the peer is gone. Descriptors are close-on-exec."""
    space = socket.CMSG_SPACE(MAX_FDS * array.array("i").itemsize)
    data, ancillary, _flags, _address = sock.recvmsg(CHUNK_BYTES, space, socket.MSG_CMSG_CLOEXEC)
    fds: list[int] = []
    for level, kind, payload in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            ints = array.array("i")
            ints.frombytes(payload[: len(payload) - len(payload) % ints.itemsize])
            fds += ints
    return data, fds


def close_all(fds: list[int]) -> None:
    for fd in fds:
        os.close(fd)
