"""`index.json` of an OCI image layout (image-spec 1.1): the manifests in it by name, for other tools."""

import fcntl
import json
import os
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ao.ids import Digest

NAME_ANNOTATION = "org.opencontainers.image.ref.name"
_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
_LAYOUT_FILE, _INDEX_FILE = "oci-layout", "index.json"
_INDEX_TYPE = "application/vnd.oci.image.index.v1+json"

Entry = dict[str, object]
"""A descriptor."""


class Index:
    """Safe for any number of threads and processes: who changes it holds a lock on `oci-layout`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._file = root / _INDEX_FILE
        for name, content in ((_LAYOUT_FILE, _LAYOUT), (_INDEX_FILE, encoded([]))):
            if not (root / name).exists():
                self._write(root / name, content, _link)

    def add(self, name: str, descriptor: Entry) -> None:
        """List a manifest under a name; what had that name before is no longer listed under it."""
        entry = {**descriptor, "annotations": {NAME_ANNOTATION: name}}
        if entry not in self._entries():
            self._change(lambda entries: [*(each for each in entries if name_of(each) != name), entry])

    def drop(self, digests: Collection[Digest]) -> None:
        def without(entries: list[Entry]) -> list[Entry]:
            return [each for each in entries if each["digest"] not in digests]

        entries = self._entries()
        if without(entries) != entries:
            self._change(without)

    def _entries(self) -> list[Entry]:
        entries: list[Entry] = json.loads(self._file.read_bytes())["manifests"]
        return entries

    def _change(self, change: Callable[[list[Entry]], list[Entry]]) -> None:
        with self._alone():
            self._write(self._file, encoded(change(self._entries())), os.replace)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        descriptor = os.open(self._root / _LAYOUT_FILE, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _write(self, file: Path, content: bytes, place: Callable[[str, Path], None]) -> None:
        """Readers see the old content or the new, also after a power cut."""
        with tempfile.NamedTemporaryFile(dir=self._root, prefix=".new-", delete=False) as new:
            try:
                new.write(content)
                new.flush()
                os.fchmod(new.fileno(), 0o644)
                os.fsync(new.fileno())
                place(new.name, file)
            finally:
                Path(new.name).unlink(missing_ok=True)


def _link(source: str, target: Path) -> None:
    """Give the file its name unless another one was first; who waits for a lock on it has the right one."""
    with suppress(FileExistsError):
        os.link(source, target)


def name_of(entry: Entry) -> object:
    annotations = entry.get("annotations")
    return annotations.get(NAME_ANNOTATION) if isinstance(annotations, dict) else None


def encoded(entries: list[Entry]) -> bytes:
    index = {"schemaVersion": 2, "mediaType": _INDEX_TYPE, "manifests": entries}
    return json.dumps(index, indent=1, sort_keys=True).encode()
