"""The session's private directory: unpacked before the agent's code, and told to the worker with every step
that completes and at the end."""

from __future__ import annotations

import _thread
import binascii
import os
import stat
import time

from ao_runner.task import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Iterator

    from ao_runner.task import Fields, Task

    Ask = Callable[[Fields], Fields]

DIRECTORY = "workspace"
_CHUNK = 1 << 20
_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
}
_TICK_NS = 20_000_000
"""Longer than any kernel's."""
_TRIES = 6
_PAUSE_SECONDS = 0.05
"""Before the second try; twice as long each time."""
_HINT = "Keep files, directories and relative links in session.workspace; the rest belongs to AO_WORK_DIR."


class Directory:
    """`root` is the directory as the agent sees it."""

    def __init__(self, root: str, max_bytes: int, max_entries: int) -> None:
        self.root = root
        self._max_bytes = max_bytes
        self._max_entries = max_entries
        self._known: dict[str, tuple[Any, str]] = {}
        """By path: what a file looked like when its digest was known, and the digest."""
        self._saved: list[Fields] | None = []
        """As the worker has it; None: not known."""
        self._saving = _thread.allocate_lock()

    def unpack(self, receive: Callable[[], Fields | None]) -> None:
        """Make what `files` messages say, until the last of them."""
        os.makedirs(self.root, exist_ok=True)
        self._saved = None
        modes: list[tuple[str, int]] = []
        while True:
            message = receive()
            if message is None:
                raise OSError("the worker went away")
            for entry in message["entries"]:
                self._make(entry, modes)
            if message["last"]:
                break
        for path, mode in reversed(modes):
            # Last, and from the inside out: a directory may be closed to its owner.
            os.chmod(path, mode)

    def _make(self, entry: Fields, modes: list[tuple[str, int]]) -> None:
        path = os.path.join(self.root, entry["path"])
        if entry["kind"] == "dir":
            os.mkdir(path)
            modes.append((path, entry["mode"]))
        elif entry["kind"] == "link":
            os.symlink(entry["target"], path)
        else:
            with open(path, "ab") as file:
                file.write(binascii.a2b_base64(entry["data"]))
            if not entry.get("more"):
                os.chmod(path, entry["mode"])
                self._known[entry["path"]] = (_signature(os.lstat(path)), entry["digest"])

    def save(self, ask: Ask, tell: Callable[[Fields], None]) -> bool:
        """Have the worker take what is there now, for what it commits next. False when it has that already.
        Raises `Failure` that says what cannot be kept; what others write at this moment is looked at again."""
        with self._saving:
            for number in range(1, _TRIES):
                try:
                    return self._save(ask, tell)
                except _Changed:
                    time.sleep(_PAUSE_SECONDS * 2 ** (number - 1))
            try:
                return self._save(ask, tell)
            except _Changed as changed:
                raise refused("cannot be kept: %r has changed while it was read" % str(changed)) from None

    def _save(self, ask: Ask, tell: Callable[[Fields], None]) -> bool:
        found = self._scan()
        if found == self._saved:
            return False
        total = sum(entry.get("size", 0) for entry in found)
        if total > self._max_bytes:
            what = "holds %d bytes; at most %d are kept" % (total, self._max_bytes)
            raise refused(what, "AO_MAX_WORKSPACE of the server sets it.")
        entries = [self._with_digest(entry) for entry in found]
        reply = ask({"type": "workspace", "entries": entries})
        if reply.get("wanted"):
            reply = self._send(reply["wanted"], {entry["path"]: entry for entry in entries}, ask, tell)
        if reply.get("error"):
            hint = reply.get("hint") or _HINT
            permanent = bool(reply.get("permanent"))
            raise Failure("error", "WorkspaceRefused", reply["error"], hint=hint, permanent=permanent)
        self._saved = found
        return True

    def _scan(self) -> list[Fields]:
        """Everything, each directory before what is in it."""
        entries: list[Fields] = []
        above = [""] if os.path.lexists(self.root) else []
        if above and not stat.S_ISDIR(os.lstat(self.root).st_mode):
            raise refused("is no directory any more")
        while above:
            below = above.pop()
            try:
                with os.scandir(os.path.join(self.root, below)) as found:
                    for item in found:
                        path = below + "/" + item.name if below else item.name
                        entries.append(self._entry(path, item.stat(follow_symlinks=False)))
                        if entries[-1]["kind"] == "dir":
                            above.append(path)
                        if len(entries) > self._max_entries:
                            raise refused("has more than %d files and directories" % self._max_entries)
            except FileNotFoundError:
                raise _Changed(below) from None
            except OSError as error:
                raise refused("cannot be kept: %r cannot be listed: %s" % (below, error.strerror)) from None
        return entries

    def _entry(self, path: str, seen: os.stat_result) -> Fields:
        mode = stat.S_IMODE(seen.st_mode) & 0o777
        if stat.S_ISDIR(seen.st_mode):
            return {"path": path, "kind": "dir", "mode": mode}
        if stat.S_ISLNK(seen.st_mode):
            return {"path": path, "kind": "link", "target": os.readlink(os.path.join(self.root, path))}
        if not stat.S_ISREG(seen.st_mode):
            kind = _KINDS.get(stat.S_IFMT(seen.st_mode), "no file")
            raise refused("cannot be kept: %r is %s" % (path, kind))
        return {"path": path, "kind": "file", "mode": mode, "size": seen.st_size, "seen": _signature(seen)}

    def _with_digest(self, entry: Fields) -> Fields:
        if entry["kind"] != "file":
            return entry
        told = dict(entry)
        told["digest"] = self._digest(entry["path"], told.pop("seen"), entry["size"])
        return told

    def _digest(self, path: str, seen: Any, size: int) -> str:
        """Read only what looks different from when it was read last."""
        known = self._known.get(path)
        if known is not None and known[0] == seen:
            return known[1]
        import hashlib  # noqa: PLC0415 - 1 ms for those that keep files

        hashed = hashlib.sha256()
        for chunk in self._read(path, size):
            hashed.update(chunk)
        digest = "sha256:" + hashed.hexdigest()
        self._known[path] = (seen, digest)
        return digest

    def _read(self, path: str, size: int) -> Iterator[bytes]:
        """Exactly so many bytes."""
        try:
            with open(os.path.join(self.root, path), "rb") as file:
                while size:
                    chunk = file.read(min(size, _CHUNK))
                    if not chunk:
                        raise _Changed(path)
                    size -= len(chunk)
                    yield chunk
        except FileNotFoundError:
            raise _Changed(path) from None
        except OSError as error:
            raise refused("cannot be kept: %r cannot be read: %s" % (path, error.strerror)) from None

    def _send(
        self, wanted: list[str], entries: dict[str, Fields], ask: Ask, tell: Callable[[Fields], None]
    ) -> Fields:
        """The content of these files, one after the other; returns what became of it. Raises `_Changed` when
        all of it is sent, so that the worker is where the next try begins."""
        left, changed = b"", ""
        for path in wanted:
            for chunk in self._exactly(path, entries[path]):
                if chunk is None:
                    changed = path
                    continue
                left += chunk
                while len(left) > _CHUNK:
                    tell({"type": "workspace_data", "id": 0, "data": _encode(left[:_CHUNK])})
                    left = left[_CHUNK:]
        reply = ask({"type": "workspace_data", "data": _encode(left)})
        if changed:
            raise _Changed(changed)
        return reply

    def _exactly(self, path: str, entry: Fields) -> Iterator[bytes | None]:
        """As many bytes as the file had; None after them when they are not those that it had."""
        import hashlib  # noqa: PLC0415

        hashed, size = hashlib.sha256(), 0
        try:
            for chunk in self._read(path, entry["size"]):
                hashed.update(chunk)
                size += len(chunk)
                yield chunk
        except _Changed:
            for start in range(size, entry["size"], _CHUNK):
                yield bytes(min(_CHUNK, entry["size"] - start))
        if size < entry["size"] or "sha256:" + hashed.hexdigest() != entry["digest"]:
            yield None


class _Changed(Exception):
    """Something was written while it was read."""


def of(task: Task) -> Directory:
    """That of a run of a session."""
    assert task.session is not None
    root = os.path.join(os.environ["AO_WORK_DIR"], DIRECTORY)
    return Directory(root, task.session["max_bytes"], task.session["max_entries"])


def refused(what: str, hint: str = _HINT) -> Failure:
    return Failure("error", "WorkspaceRefused", "the workspace " + what, hint=hint, permanent=True)


def _signature(seen: os.stat_result) -> Any:
    """Nobody can change a file and leave this as it was. What was changed within this tick of the kernel's
    clock may be changed in it once more: it is like nothing else."""
    if time.time_ns() - seen.st_ctime_ns < _TICK_NS:
        return object()
    return (seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns)


def _encode(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).decode()
