"""Releases unpacked to run from: one read-only directory per digest, shared by all runs."""

import ctypes
import os
import shutil
import stat
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from ao.build.bytecode import COMPILED
from ao.domain.errors import InternalError
from ao.ids import Digest
from ao.project.archive import BadArchive, Kind, Reader

_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Like:
    """A release begins as another one that is unpacked, without some files. Nobody ever writes to either:
    what is alike is on the disk once."""

    base: Digest
    without: Collection[str]


class Releases:
    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)

    def path(self, digest: Digest) -> Path:
        return self.root / digest.removeprefix("sha256:")

    def make(
        self, digest: Digest, layers: Sequence[Path], lock: bytes | None, like: "Like | None" = None
    ) -> Path:
        """Unpack layers side by side; whoever is first publishes, with one rename."""
        target = self.path(digest)
        if target.is_dir():
            return target
        new = Path(tempfile.mkdtemp(dir=self.root, prefix=".new-"))
        try:
            if like is not None:
                _share(self.path(like.base), new, like.without)
            for layer in layers:
                _unpack(layer, new)
            if lock is not None:
                (new / ".ao").mkdir(exist_ok=True)
                (new / ".ao" / "requirements.lock").write_bytes(lock)
            sync_tree(new)
            protect(new)
            os.rename(new, target)
        except OSError:
            if not target.is_dir():  # else another one was first
                raise
        finally:
            remove_tree(new)
        return target


def _share(base: Path, new: Path, without: Collection[str]) -> None:
    """Files as further names of the same; compiled modules, too, unless a module is left out."""
    anew = any(name.endswith(".py") for name in without)
    for directory, names, files in os.walk(base):
        inside = Path(directory).relative_to(base)
        if anew and inside.name == "__pycache__":
            names.clear()
            continue
        (new / inside).mkdir(exist_ok=True)
        linked = [name for name in names if os.path.islink(os.path.join(directory, name))]
        for name in [*files, *linked]:
            path = inside / name
            if str(path) not in without and not (anew and path == COMPILED):
                _link(base / path, new / path)


def _link(file: Path, other: Path) -> None:
    try:
        os.link(file, other, follow_symlinks=False)
    except OSError:  # this file system has no links, or no more of this file
        shutil.copy2(file, other, follow_symlinks=False)


def _unpack(layer: Path, root: Path) -> None:
    """Unpack a layer that AO wrote itself."""
    with layer.open("rb") as file:
        reader = Reader(file)
        try:
            for entry in reader:
                path = root / entry.path
                path.parent.mkdir(parents=True, exist_ok=True)
                if entry.kind is Kind.LINK:
                    path.symlink_to(entry.target)
                    continue
                with path.open("xb") as out:
                    out.writelines(reader.chunks())
                path.chmod(0o555 if entry.executable else 0o444)
        except BadArchive as error:
            raise InternalError(f"layer {layer.name} of a release is damaged: {error}") from error


def sync_tree(root: Path) -> None:
    """Make what was written durable: after a power cut a published directory is whole or not there."""
    descriptor = os.open(root, os.O_RDONLY)
    try:
        if _LIBC.syncfs(descriptor) != 0:
            raise OSError(ctypes.get_errno(), "syncfs", str(root))
    except AttributeError:  # not Linux
        os.sync()
    finally:
        os.close(descriptor)


def protect(root: Path) -> None:
    """Make a tree read-only, and readable for all: sandboxes are other users, whatever the umask was."""
    for directory, _, names in os.walk(root, topdown=False):
        for name in names:
            path = os.path.join(directory, name)
            mode = os.lstat(path).st_mode
            if not stat.S_ISLNK(mode):
                os.chmod(path, 0o555 if mode & 0o100 else 0o444)
        os.chmod(directory, 0o555)  # noqa: S103 - read-only for all


def remove_tree(root: Path) -> None:
    """Remove a tree whose directories may be write-protected; nothing happens when it is not there."""
    if not root.is_dir():
        return
    for directory, _, _ in os.walk(root):
        os.chmod(directory, 0o700)
    shutil.rmtree(root)
