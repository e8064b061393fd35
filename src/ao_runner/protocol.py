"""The runner protocol: what is said over the one Unix socket between a sandbox and its worker.

A frame is a 4-byte big-endian length and that many bytes of UTF-8 JSON, an object with a `type`.
A worker speaks `VERSION` and the version before it; the runner answers `start` of any other version
with `error` (`kind` = "protocol").

worker → runner
    start    {protocol, entrypoint: {kind, target, command}, input, input_file, output_file, code_dir, network,
              egress}
             `input` is JSON text; `input_file` is where it goes when it is too long for the environment;
             `network` is the policy, for hints; `egress` asks for a `listener`; a forked child of a
             template gets `env`, too: the variables of this run alone
             since 2: `steps` = {run_id, recorded: [{path, fingerprint, state, value}], more, timeout,
             booted_us}
             `booted_us`: when this machine booted by the store's clock, which wakes sleepers; or its own does
             `elsewhere` in place of `value`: look it up; `more`: so may paths that are not listed be
             `retries` = {permanent: [class], transient: [class]}, when ao.toml names classes of exceptions
             for a run of a session: `session` = {id, state, messages, count, more, writes: {path: writes},
             again, workspace, max_bytes, max_entries}: as it was before the run; `more`: ask for the other
             messages; null in place of a step's writes: ask for them; `again`: earlier attempts have committed
             something; `workspace`: ask for it
    reply    {id, error?, recorded?}            since 2, to each message with an `id` above 0
    files    {entries: [{path, kind, mode, size, digest, target, data, more}], last}   after `workspace_get`;
             `data` is base64, and with `more` the next entry goes on with the same file
runner → worker
    hello    {protocols: [int], python, pid, namespaces: {mnt: int, pid: int, …}}   first, unasked; not from a
                                                forked child of a template
    started  {}                                 the agent's code is loaded and about to be called
    partial  {value}                            one value of a generator
    step     {id, path, parent, name, key, kind, fingerprint, once, timeout, grace}   since 2: a step begins
             (kind "step") or a span; with an id only for `once`: it begins when that is durable. When a try has
             not ended `grace` after its `timeout`, the worker ends the attempt
    step_retry {path, try, delay, error: {type, message}, timeout, grace}   since 2
    step_end {id, path, value | error: {type, message}, again}   since 2; the reply to a value means: it is
             durable. `again`, with an error of a step with `once`: it had no effect
    question {id, path, parent, name, key, kind, text, schema, details, timeout, fingerprint}   since 2; the
             reply's `error` says what is wrong with it. kind: "question", "approval"
    sleep    {id, path, parent, name, key, until_us}   since 2: recorded when the reply comes
    pause    {questions: [path], wake_us}       since 2, last: go on when one is answered, or at the instant
             both, and `result`: `session` = {first, messages: [{role, content}], state, writes}, what it is
             to be from then on; `writes` = {set, remove, messages}, what the step itself did
    session_part {path, messages}               what does not fit into the `session` of that step, or of the
             last word for an empty path: its messages follow these
    session_messages {id, after}                the next of its messages → messages: [{role, content, seq, …}]
    session_writes {id, path}                   of a step that is recorded → writes
    workspace_get {id}                          first of all; answered by `files` until `last`
    workspace {id, entries: [{path, kind, mode, size, digest, target}]}   before a `step_end` or the last word,
             which commits it → wanted: [path], in the order in which their content is to come
    workspace_data {id, data}                   base64; with an id when it is the last → saved
    lookup   {id, path}                         since 2: what is recorded? → recorded: {…} or null
    result   {value}                            the entrypoint returned; last, but for `over`
    over     {cpu, rss}                         after a result, from a forked child of a template: it exits with
                                                0 now and leaves nothing behind; all its output is written
    error    {kind, error_type, message, traceback, permanent, retry_after, exit_code, signal, hint,
              step}   last
             kind: "error" (exception), "exit" (status or sys.exit), "signal" (of a command), "protocol";
             kind and message are always there, the rest where it applies
    listener {name}                             carries one file descriptor (SCM_RIGHTS): a listening
                                                socket of the sandbox's own network namespace that the
                                                worker serves (`name` = "egress")
"""

from __future__ import annotations

import json
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from typing import Any, Callable, Iterable

MAX_STATE_BYTES = 1 << 20
MAX_CONTENT_BYTES = 1 << 20
"""Of a session's state, and of one message."""
MAX_MESSAGES = 10_000
MAX_MESSAGES_BYTES = 64 << 20
"""Of what one run adds to its session."""
MAX_STEP_MESSAGES_BYTES = 8 << 20
"""Of what one step adds to it; a frame has that twice, and the step's result."""
VERSION = 2
PROTOCOLS = (1, 2)
WITH_STEPS = 2
MAX_FRAME_BYTES = 64 << 20
MAX_VALUE_BYTES = 32 << 20
"""Of a result, of a run or a step, as JSON."""
HEADER = struct.Struct(">I")
_MSG_WAITALL = 0x100
_scan: Callable[[str, int], tuple[object, int]] = json.JSONDecoder().scan_once  # type: ignore[attr-defined]


def common(protocols: object) -> int:
    """The newest version that both sides speak, from the peer's `hello`; `VERSION` when there is none, for
    the peer to refuse."""
    theirs = protocols if isinstance(protocols, list) else []
    return max((version for version in PROTOCOLS if version in theirs), default=VERSION)


class ProtocolError(Exception):
    """The peer sent something that is not the protocol."""


class TooLarge(ValueError):
    """A message does not fit into a frame."""


def _chunks() -> Callable[[object, int], Iterable[str]]:
    """What `JSONEncoder.encode` makes anew for every message, and asks for its pieces."""
    plain = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    make: Any = getattr(json.encoder, "c_make_encoder", None)
    try:
        # Nothing is remembered of what it is in: a value that contains itself is a RecursionError.
        made: Callable[[object, int], Iterable[str]] = make(
            None, plain.default, json.encoder.encode_basestring, None, ":", ",", False, False, False
        )
    except TypeError:  # an interpreter without it, or with another one
        return lambda value, _depth: plain.iterencode(value)
    return made


_encoded = _chunks()


def encode(message: dict[str, object]) -> bytes:
    """One frame. A value that is not JSON raises TypeError or ValueError (NaN and infinities too)."""
    body = "".join(_encoded(message, 0)).encode("utf-8", "surrogatepass")
    if len(body) > MAX_FRAME_BYTES:
        raise TooLarge("message of %d bytes is larger than %d" % (len(body), MAX_FRAME_BYTES))
    return HEADER.pack(len(body)) + body


def decode(body: bytes) -> dict[str, object]:
    try:
        message = parse(body.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        raise ProtocolError("frame is not JSON: %s" % error) from error
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise ProtocolError("frame is not an object with a type")
    return message


def parse(text: str) -> Any:
    """Like `json.loads`, which first takes three calls to look for white space."""
    try:
        value, end = _scan(text, 0)
    except StopIteration:
        end = -1
    return value if end == len(text) else json.loads(text)


def receive(sock: _socket.socket) -> dict[str, object] | None:
    """The next message of a blocking socket; None when the peer closed it between frames."""
    header = _exactly(sock, HEADER.size)
    if header is None:
        return None
    (length,) = HEADER.unpack(header)
    if length > MAX_FRAME_BYTES:
        raise ProtocolError("frame of %d bytes is larger than %d" % (length, MAX_FRAME_BYTES))
    body = _exactly(sock, length)
    if body is None:
        raise ProtocolError("socket closed inside a frame")
    return decode(body)


def _exactly(sock: _socket.socket, count: int) -> bytes | None:
    data = sock.recv(count, _MSG_WAITALL)
    if len(data) == count:
        return data
    chunks: list[bytes] = [data] if data else []
    count -= len(data)
    while count:
        chunk = sock.recv(min(count, 1 << 20))
        if not chunk:
            if chunks:
                raise ProtocolError("socket closed inside a frame")
            return None
        chunks.append(chunk)
        count -= len(chunk)
    return b"".join(chunks)


STARTED = encode({"type": "started"})
"""The agent's code is called next."""
