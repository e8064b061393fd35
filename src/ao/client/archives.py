"""Directories as tar archives on their way to and from a server."""

import base64
import hashlib
import io
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ao.client.target import Target
from ao.client.wire import Call, Request, request
from ao.domain.errors import InvalidInput

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Archive:
    file: Path
    size: int
    sha256: bytes

    def request(self, call: Call[Any], target: Target) -> Request:
        """The call with the archive as its body."""
        plain = request(call, target)
        digest = base64.b64encode(self.sha256).decode()
        headers = {
            **plain.headers,
            "content-type": "application/x-tar",
            "content-digest": f"sha-256=:{digest}:",
        }
        return Request(plain.method, plain.path, headers, None, plain.timeout_seconds)

    def chunks(self) -> Iterator[bytes]:
        with self.file.open("rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk


@contextmanager
def packed_directory(root: Path) -> Iterator[Archive]:
    """The archive of a directory as a temporary file."""
    if not root.is_dir():
        raise InvalidInput(f"{root} is no directory")
    with tempfile.TemporaryDirectory(prefix="ao-workspace-") as directory:
        target = Path(directory) / "workspace.tar"
        with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as tar:
            for path in sorted(root.iterdir()):
                tar.add(path, path.name, filter=_anonymous)
        with target.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").digest()
        yield Archive(target, target.stat().st_size, digest)


def _anonymous(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = info.mtime = 0
    info.uname = info.gname = ""
    return info


def unpack(content: bytes, directory: Path) -> None:
    """Put an archive into a directory that is empty or new; nothing in it leaves the directory."""
    if directory.exists() and any(directory.iterdir()):
        raise InvalidInput(f"{directory} is not empty", hint="name a new directory")
    directory.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as tar:
        for member in tar:
            tar.extract(tarfile.data_filter(member, str(directory)), directory, filter="fully_trusted")
