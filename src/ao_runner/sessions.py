"""`session`: what persists between the runs of an agent, as agents use it.

What is written outside of steps is committed with the next step that completes, at a pause and at the run's
end; what a step writes, with that step. A later attempt starts again from what the session was before the run:
steps that answer from their record bring their writes along.
"""

from __future__ import annotations

import _thread
import json
import os
from collections.abc import MutableMapping

from ao_runner import Refused, ledger, results, task
from ao_runner.protocol import (
    MAX_CONTENT_BYTES,
    MAX_MESSAGES,
    MAX_MESSAGES_BYTES,
    MAX_STATE_BYTES,
    MAX_STEP_MESSAGES_BYTES,
)
from ao_runner.task import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any, Callable, Dict, Iterator

    from ao_runner.ledger import Entry

    Json = Dict[str, Any]

_MAX_ROLE = 64
_SMALLER = "keep what is large in session.workspace"


class Message(dict):  # type: ignore[type-arg]
    """`{"role": …, "content": …}`, as model APIs take it."""

    def __init__(self, role: str, content: Any, seq: int, run: str | None, at: str | None) -> None:
        super().__init__(role=role, content=content)
        self.seq = seq
        """From 1."""
        self.run = run
        """Id of the run that said it; None for what people have added."""
        self.at = at
        """When, as ISO 8601 in UTC; None for what is not committed yet."""


class Frame:
    """What is written in one place: by the run itself, or by one step until that has completed."""

    def __init__(self, state: Json) -> None:
        self.state = state
        self.before = {key: json.dumps(value, sort_keys=True) for key, value in state.items()}
        """As JSON text, to see later what has changed, inside of values too."""
        self.messages: list[Json] = []
        self.bytes = 0
        """Of them, as JSON text."""

    def add(self, message: Json, size: int) -> None:
        self.messages.append(message)
        self.bytes += size

    def writes(self) -> Json:
        """What has changed, with everything checked."""
        text = _text(self.state, "session.state")
        if len(text.encode()) > MAX_STATE_BYTES:
            raise Refused("session.state is more than %d bytes; use session.workspace" % MAX_STATE_BYTES)
        state: Json = json.loads(text)
        changed = {
            key: value
            for key, value in state.items()
            if self.before.get(key) != json.dumps(value, sort_keys=True)
        }
        removed = [key for key in self.before if key not in state]
        return {"set": changed, "remove": removed, "messages": list(self.messages)}

    def apply(self, writes: Json) -> None:
        for key in writes["remove"]:
            self.state.pop(key, None)
        self.state.update(json.loads(json.dumps(writes["set"])))
        for message in writes["messages"]:
            self.add(message, _size(message["content"]))


class State(MutableMapping):  # type: ignore[type-arg]
    """A JSON object; values are read back from JSON, as the next run will find them."""

    def __init__(self, of: Session) -> None:
        self._of = of

    def __getitem__(self, key: str) -> Any:
        return self._of.frame().state[key]

    def __setitem__(self, key: str, value: Any) -> None:
        if not isinstance(key, str):
            raise TypeError("a key of session.state is a text, not %r" % (key,))
        text = _text({key: value}, "session.state")
        self._of.frame().state.update(json.loads(text))

    def __delitem__(self, key: str) -> None:
        del self._of.frame().state[key]

    def setdefault(self, key: str, default: Any = None) -> Any:
        if key not in self:
            self[key] = default
        return self[key]

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._of.frame().state))

    def __len__(self) -> int:
        return len(self._of.frame().state)

    def __repr__(self) -> str:
        return repr(self._of.frame().state)

    def copy(self) -> Json:
        """A plain dict."""
        copied: Json = json.loads(json.dumps(self._of.frame().state))
        return copied


class Session:
    """Of this run; in a run without a session, and where there is no AO, one that ends with the process."""

    def __init__(self, of: task.Task | None) -> None:
        self.belongs_to = of
        given: Json = (of.session if of is not None else None) or {}
        self.id: str | None = given.get("id")
        self._task = of if given else None
        self._given = given
        self._lock = _thread.allocate_lock()
        self._earlier: list[Message] | None = None
        self._top = Frame(given.get("state") or {})
        self._committed = 0
        """So many messages of this attempt are."""
        self._state_text = json.dumps(self._top.state, sort_keys=True)
        """As committed, or as it was before the run."""
        self._unsure = bool(given.get("again"))
        """Earlier attempts have committed what this one may not do again."""
        self._state = State(self)
        self._directory: str | None = None

    @property
    def state(self) -> MutableMapping[str, Any]:
        """A JSON object."""
        return self._state

    @state.setter
    def state(self, value: Any) -> None:
        if not isinstance(value, (dict, State)):
            raise TypeError("session.state is a dict, not a %s" % type(value).__name__)
        self.frame().state = json.loads(_text(dict(value), "session.state"))

    @property
    def messages(self) -> list[Message]:
        """All of them, oldest first; those of this run, too. The list is a copy."""
        frames = self._frames()
        said = [message for frame in frames for message in frame.messages]
        earlier = self._before()
        run = None if self._task is None else os.environ.get("AO_RUN_ID")
        fresh = [
            Message(
                message["role"], json.loads(json.dumps(message["content"])), len(earlier) + number, run, None
            )
            for number, message in enumerate(said, 1)
        ]
        return [*earlier, *fresh]

    def add(self, role: str, content: Any) -> None:
        """Append a message. `content` is any JSON value."""
        _check_role(role)
        text = _text(content, "the content of a message")
        size = len(text.encode())
        if size > MAX_CONTENT_BYTES:
            raise Refused("a message is more than %d bytes; use session.workspace" % MAX_CONTENT_BYTES)
        frames = self._frames()
        if self._task is not None:
            _check_room(frames, size)
        frames[-1].add({"role": role, "content": json.loads(text)}, size)

    @property
    def workspace(self) -> Path:
        """The private directory; files in it are there in the next run of the session."""
        from pathlib import Path  # noqa: PLC0415 - few need it

        if self._directory is None:
            self._directory = os.environ.get("AO_WORKSPACE") or _temporary()
        os.makedirs(self._directory, exist_ok=True)
        return Path(self._directory)

    def reset(self, state: Json | None = None, messages: Any = ()) -> None:
        """Begin anew with this content: for tests of agents, where there is no AO."""
        if self._task is not None:
            raise RuntimeError("session.reset() is for tests: this run has a session")
        self._top = Frame({})
        self._directory = None
        self.state = dict(state or {})
        for message in messages:
            self.add(message["role"], message["content"])

    # Where writes go

    def frame(self) -> Frame:
        """Of the innermost step that is being executed here, or of the run."""
        with self._lock:
            return self._frame_of(_step(ledger.current.get()))

    def _frames(self) -> list[Frame]:
        """From the run's to the innermost one; a step sees what is outside of it."""
        entry = _step(ledger.current.get())
        frames: list[Frame] = []
        with self._lock:
            while entry is not None:
                frames.append(self._frame_of(entry))
                entry = _step(entry.parent)
            return [self._top, *reversed(frames)]

    def _frame_of(self, entry: Entry | None) -> Frame:
        if entry is None or self._task is None:
            return self._top
        if entry.frame is None:
            outer = self._frame_of(_step(entry.parent))
            entry.frame = Frame(json.loads(_text(outer.state, "session.state")))
        frame: Frame = entry.frame
        return frame

    # What the ledger asks for

    def complete(self, entry: Entry, saved: bool) -> Json | None:
        """A step has completed: what it wrote belongs to what it is in. Returns `session` of its `step_end`; a
        workspace that was `saved` is committed with it."""
        with self._lock:
            writes = None if entry.frame is None else entry.frame.writes()
            if writes is not None and any(writes.values()):
                outer = self._frame_of(_step(entry.parent))
                # Others may have completed meanwhile, and a step that this one is in has a limit, too.
                frames = [outer] if outer is self._top else [self._top, outer]
                _check_room(frames, entry.frame.bytes, len(entry.frame.messages))
                outer.apply(writes)
            else:
                writes = None
            entry.settled = True
            staged = self._staged()
        if writes is None and not saved and not staged["messages"] and "state" not in staged:
            return None
        return {**staged, "writes": writes}

    def replay(self, entry: Entry) -> None:
        """A step answers from its record: so do its writes."""
        known = self._given.get("writes") or {}
        writes = known.get(entry.path)
        if writes is None and entry.path in known:
            writes = known[entry.path] = self._ask({"type": "session_writes", "path": entry.path})["writes"]
        if writes is not None:
            with self._lock:
                self._frame_of(_step(entry.parent)).apply(writes)

    def staged(self) -> Json:
        """`session` of the last word: what is not committed yet."""
        with self._lock:
            return self._staged()

    def _staged(self) -> Json:
        self._top.writes()  # checks
        fresh = self._top.messages[self._committed :]
        text = json.dumps(self._top.state, sort_keys=True)
        changed = self._unsure or text != self._state_text
        found: Json = {"first": self._committed, "messages": fresh}
        if changed:
            found["state"] = json.loads(text)
        return found

    def committed(self, message: Json, path: str) -> None:
        """The worker has recorded this `session`, together with a step."""
        with self._lock:
            if message["writes"] is not None:
                self._given.setdefault("writes", {})[path] = message["writes"]
            said = message.get("ahead", 0) + len(message["messages"])
            self._committed = max(self._committed, message["first"] + said)
            if "state" in message:
                self._state_text = json.dumps(message["state"], sort_keys=True)
                self._unsure = False

    def _before(self) -> list[Message]:
        """Messages of earlier runs; those that did not come with the task are asked for."""
        if self._earlier is None:
            found = list(self._given.get("messages") or [])
            while self._given.get("more") and len(found) < self._given["count"]:
                page = self._ask({"type": "session_messages", "after": len(found)})["messages"]
                if not page:
                    raise RuntimeError("messages of session %s are gone: was it deleted meanwhile?" % self.id)
                found += page
            self._earlier = [Message(m["role"], m["content"], m["seq"], m["run"], m["at"]) for m in found]
        return list(self._earlier)

    def _ask(self, question: Json) -> Json:
        book = ledger.of_run()
        assert book is not None
        reply = book.channel.call(question)
        if reply.get("error"):
            raise RuntimeError(reply["error"])
        return reply


def in_frames(session: Json, path: str, tell: Callable[[Json], None]) -> Json:
    """`session` of a message, small enough for it: what its messages have too much is told ahead."""
    first, size = 0, 0
    messages = session["messages"]
    for number, message in enumerate(messages):
        size += _size(message["content"])
        if size > MAX_STEP_MESSAGES_BYTES:
            tell({"type": "session_part", "path": path, "messages": messages[first:number]})
            first, size = number, _size(message["content"])
    return {**session, "messages": messages[first:], "ahead": first} if first else session


def _check_room(frames: list[Frame], size: int, count: int = 1) -> None:
    """Raises for more than a run, or a step, may add. From the run's frame to the innermost one."""
    for frame in frames[1:]:
        if frame.bytes + size > MAX_STEP_MESSAGES_BYTES:
            raise _too_much("step", frame.bytes + size, MAX_STEP_MESSAGES_BYTES)
    total = sum(frame.bytes for frame in frames) + size
    if total > MAX_MESSAGES_BYTES:
        raise _too_much("run", total, MAX_MESSAGES_BYTES)
    if sum(len(frame.messages) for frame in frames) + count > MAX_MESSAGES:
        raise Refused("one run adds at most %d messages to its session" % MAX_MESSAGES)


def _too_much(what: str, size: int, most: int) -> Refused:
    said = "the messages that this %s adds to the session are %d bytes; at most %d are kept: %s"
    return Refused(said % (what, size, most, _SMALLER))


def _size(content: Any) -> int:
    return len(json.dumps(content, ensure_ascii=False).encode())


def _step(entry: Entry | None) -> Entry | None:
    """The innermost step at or above that goes on: spans hold nothing."""
    while entry is not None and (entry.settled or entry.kind != "step"):
        entry = entry.parent
    return entry


def _check_role(role: object) -> None:
    if not isinstance(role, str) or not 0 < len(role) <= _MAX_ROLE or not role.isprintable():
        raise Refused("a role is a text of 1 to %d printable characters, not %r" % (_MAX_ROLE, role))


def _text(value: Any, name: str) -> str:
    try:
        return results.text_of(value, name)
    except Failure as failure:
        raise Refused("%s. %s" % (failure, failure.fields["hint"])) from None


def _temporary() -> str:
    """A directory for the time of this process."""
    work = os.environ.get("AO_WORK_DIR")
    if work and task.current is not None:
        return os.path.join(work, "workspace")
    import atexit  # noqa: PLC0415
    import shutil  # noqa: PLC0415
    import tempfile  # noqa: PLC0415

    made = tempfile.mkdtemp(prefix="workspace-")
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


class _Session:
    """`ao_runner.session`: that of this process's run, also in a fork of a template that imported it before."""

    def __getattr__(self, name: str) -> Any:
        return getattr(of_run(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(of_run(), name, value)


_made: list[Session] = []
_making = _thread.allocate_lock()


def of_run() -> Session:
    with _making:
        if not _made or _made[0].belongs_to is not task.current:
            # Also in a fork of a template whose import has looked at it.
            _made[:] = [Session(task.current)]
        return _made[0]


session: Session = _Session()  # type: ignore[assignment]
