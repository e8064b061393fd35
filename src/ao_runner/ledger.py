"""Which steps this execution of the run has come to, and what is recorded of them from earlier ones."""

from __future__ import annotations

import _thread
import json
from contextvars import ContextVar

from ao_runner import Refused, StepConflict, StepDiverged, StepInDoubt, task
from ao_runner.channel import Channel, running_loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ao_runner.task import Attendance, Fields, Task

MAX_KEY = 200
_MAX_NAME = 200
_MAX_PATH_BYTES = 1_000
_ESCAPED = {ord(char): "%%%02X" % ord(char) for char in "%/#[]"}


class Entry:
    """One step or span that was entered, in this execution."""

    def __init__(self, parent: Entry | None, name: str, key: str | None, path: str, kind: str) -> None:
        self.parent = parent
        self.name = name
        self.key = key
        self.path = path
        self.kind = kind
        self.record: Fields | None = None
        """What is recorded of it: {state, value, fingerprint}."""
        self.once = False
        self.fingerprint = ""
        self.time: Fields = {}
        """`timeout` of each try, and `grace`."""
        self.frame: Any = None
        """What it has written to the session, since this try began."""
        self.settled = False
        """That is told: what is written in its context from now on belongs to what it was in."""
        self.inside = Inside()

    def fields(self) -> Fields:
        """Its identity, for messages."""
        parent = self.parent.path if self.parent else None
        return {"path": self.path, "parent": parent, "name": self.name, "key": self.key, "kind": self.kind}

    def above(self) -> set[str]:
        """Paths of it and of all that it is in."""
        paths, entry = set(), self
        while True:
            paths.add(entry.path)
            if entry.parent is None:
                return paths
            entry = entry.parent


class Inside:
    """What was entered so far inside of a step or of the run."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.open: set[str] = set()
        """Names without a key that are being executed."""
        self.paths: set[str] = set()


current: ContextVar[Entry | None] = ContextVar("ao_step", default=None)


class Ledger:
    def __init__(self, of: Task) -> None:
        given = of.steps or {}
        self.channel = Channel(of)
        self.task = of
        self.run_id: str = given["run_id"]
        self.attendance = of.attendance
        self.default_timeout: float | None = given.get("timeout")
        self.booted_us: int | None = given.get("booted_us")
        """When this machine booted, by the clock by which sleepers wake; None: that is the machine's."""
        self._recorded: dict[str, Fields] = {record["path"]: record for record in given["recorded"]}
        self._more: bool = given["more"]
        """Not all that is recorded came with the task."""
        self._lock = _thread.allocate_lock()
        self.ends = _thread.allocate_lock()
        """Held from when it is settled what the end of a step says until that is sent: of the session it says
        all that was said before, too, so that one that came late would take back the others."""
        self._top = Inside()
        self._active: dict[str, Entry] = {}
        """Steps that are being executed, by path."""
        self._waiting: dict[str, tuple[Entry, int | None]] = {}
        """Questions and sleeps that the run waits for; sleeps with their end."""

    def enter(self, name: str, key: object, kind: str) -> Entry:
        """The next step or span of this name. Raises `StepConflict`, `Refused` for a name or key that cannot be
        one, and the `StepDiverged` of an earlier one: there is no step after it."""
        if self.task.diverged is not None:
            raise self.task.diverged
        _check_name(name)
        text = _key_text(key)
        parent = current.get()
        with self._lock:
            inside = parent.inside if parent else self._top
            prefix = parent.path + "/" if parent else ""
            path = prefix + name.translate(_ESCAPED)
            if text is None:
                if name in inside.open:
                    raise StepConflict(
                        "two steps %r run at the same time and cannot be told apart: give each a key" % name
                    )
                count = inside.counts[name] = inside.counts.get(name, 0) + 1
                path += "#%d" % count if count > 1 else ""
                inside.open.add(name)
            else:
                path += "[%s]" % _in_path(text)
                if path in inside.paths:
                    raise StepConflict("two steps %r have the same key %r" % (name, text))
                inside.paths.add(path)
            if len(path.encode("utf-8", "surrogatepass")) > _MAX_PATH_BYTES:
                raise Refused("steps are nested too deeply for their names: %s…" % path[:100])
            entry = Entry(parent, name, _shown(text), path, kind)
            entry.record = self._recorded.get(path)
            return entry

    def must_ask(self, entry: Entry) -> bool:
        """Whether only the worker knows what is recorded."""
        return self._more if entry.record is None else bool(entry.record.get("elsewhere"))

    def lookup(self, entry: Entry) -> Fields:
        return {"type": "lookup", "path": entry.path}

    def answer(self, entry: Entry, reply: Fields) -> None:
        """Take what the worker has recorded."""
        entry.record = reply.get("recorded")

    def check(self, entry: Entry, fingerprint: str) -> None:
        """Raises when the record is not of this step as it is now."""
        record = entry.record
        if record is None:
            return
        if record["fingerprint"] != fingerprint:
            error = StepDiverged(
                "step %r was recorded with another input than it has now: what leads to a step must be the "
                "same in every execution of a run" % entry.path
            )
            error.__ao_step__ = entry.path  # type: ignore[attr-defined]
            self.task.diverged = error
            raise error
        if record["state"] != "completed":
            how = "has raised" if record["state"] == "failed" else "was cut off after its start"
            raise StepInDoubt(
                "step %r %s in an earlier execution; it may have had its effect. "
                "Its idempotency key is %s" % (entry.path, how, self.idempotency_key(entry))
            )

    def begin(self, entry: Entry) -> bool:
        """It is being executed from now on. False: not now, because the run is about to pause; the next
        execution comes to it again."""
        with self._lock:
            if self._waiting and not entry.above() & self._active.keys():
                return False
            self._active[entry.path] = entry
            return True

    def wait_for(self, entry: Entry, wake_us: int | None) -> None:
        """The run waits for this from now on; only what is inside of a step in flight begins any more."""
        with self._lock:
            self._waiting[entry.path] = (entry, wake_us)

    def pause_if_quiet(self) -> None:
        """End the process if the run waits, and no step is in flight but those that wait themselves."""
        with self._lock:
            waiting = list(self._waiting.values())
            if not waiting:
                return
            above = set().union(*(entry.above() for entry, _ in waiting))
            if self._active.keys() - above:
                return
            wakes = [wake_us for _, wake_us in waiting if wake_us is not None]
            questions = [entry.path for entry, wake_us in waiting if wake_us is None]
            last = {"type": "pause", "questions": questions, "wake_us": min(wakes) if wakes else None}
            self.task.pause(last if self.attendance is None else self._attended(self.attendance, last))

    def _attended(self, attendance: Attendance, last: Fields) -> Fields:
        try:
            return attendance.end(self.task, last)
        except task.Failure as failure:
            return failure.fields

    def answer_of(self, entry: Entry) -> Any:
        """The recorded result, and what the step did to the session."""
        assert entry.record is not None
        if self.attendance is not None:
            self.attendance.replay(entry)
        return entry.record["value"]

    def end_of(self, entry: Entry, text: str) -> Fields:
        """`step_end` of a step that has completed. Raises for what its session cannot keep."""
        message = {"type": "step_end", "path": entry.path, "value": json.loads(text)}
        session = None if self.attendance is None else self.attendance.of_step(self, entry)
        return message if session is None else {**message, "session": session}

    def recorded(self, end: Fields) -> None:
        """The worker has answered it."""
        if self.attendance is not None and "session" in end:
            self.attendance.committed(end["session"], end["path"])

    def keep(self, entry: Entry, fingerprint: str, text: str) -> None:
        """Remember a result for the case that what it is in is tried again within this attempt."""
        if entry.parent is not None:
            with self._lock:
                record = {"state": "completed", "fingerprint": fingerprint, "value": json.loads(text)}
                self._recorded[entry.path] = record

    def doubt(self, entry: Entry) -> None:
        """It has raised, and must not be executed again, whatever is tried again around it."""
        with self._lock:
            self._recorded[entry.path] = {"state": "failed", "fingerprint": entry.fingerprint}

    def leave(self, entry: Entry) -> None:
        """It is not being executed any more."""
        with self._lock:
            self._active.pop(entry.path, None)
            self._waiting.pop(entry.path, None)
            if entry.key is None:
                inside = entry.parent.inside if entry.parent else self._top
                inside.open.discard(entry.name)
        self.pause_if_quiet()

    def idempotency_key(self, entry: Entry) -> str:
        """The same in every execution of this run."""
        import hashlib  # noqa: PLC0415 - 1 ms for those that ask

        return hashlib.sha256(("%s %s" % (self.run_id, entry.path)).encode()).hexdigest()[:32]


_made: list[Ledger] = []
_making = _thread.allocate_lock()


def of_run() -> Ledger | None:
    """The run's ledger; None outside of AO, where steps are plain calls."""
    if task.current is None:
        return None
    with _making:
        if not _made:
            if task.current.steps is None:
                raise RuntimeError("the worker of this run is older than its runner and knows no steps")
            _made.append(Ledger(task.current))
        return _made[0]


def park() -> None:
    """Wait for the end of the process."""
    lock = _thread.allocate_lock()
    lock.acquire()
    lock.acquire()


async def park_async() -> None:
    loop = running_loop()
    if loop is None:
        park()
    await loop.create_future()


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not name.strip() or len(name) > _MAX_NAME or not name.isprintable():
        raise Refused("a step's name is a text of 1 to %d printable characters, not %r" % (_MAX_NAME, name))


def _key_text(key: object) -> str | None:
    if key is None:
        return None
    if not isinstance(key, (str, int)):
        raise Refused("a step's key is a text or a whole number, not %r" % (key,))
    return str(key)


def _shown(key: str | None) -> str | None:
    """What people see of it."""
    if key is None or _is_plain(key):
        return key
    text = ascii(key)[1:-1]
    return text if len(text) <= MAX_KEY else text[: MAX_KEY - 1] + "…"


def _is_plain(key: str) -> bool:
    return len(key) <= MAX_KEY and key.isprintable()


def _in_path(key: str) -> str:
    """Long keys, and those that cannot be stored, by their digest."""
    if _is_plain(key):
        return key.translate(_ESCAPED)
    import hashlib  # noqa: PLC0415 - for few keys

    return "~" + hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def fingerprint_of(args: Any, named: Any) -> str:
    """A digest of the input. What is not JSON, such as a client or `self`, counts by its type alone."""
    if not args and not named:
        return ""
    import hashlib  # noqa: PLC0415 - 1 ms for those that need it

    try:
        text = json.dumps([args, named], sort_keys=True, default=_type_name)
    except (TypeError, ValueError, RecursionError):
        text = json.dumps([[_type_name(arg) for arg in args], sorted(named)])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _type_name(value: Any) -> str:
    return "<%s.%s>" % (type(value).__module__, type(value).__qualname__)
