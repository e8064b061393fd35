"""What an executor keeps on this host for its containers to mount."""

import fcntl
import hashlib
import os
import shutil
from pathlib import Path

from ao.domain.errors import SandboxError
from ao.sandbox.docker.container import UID, mount
from ao.sandbox.docker.engine import Json
from ao.sandbox.process.layout import WORK_DIR
from ao.sandbox.process.shared import SHARED, share

_LOCK = "docker.lock"


class Place:
    """A directory that one executor at a time has."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self.shared = self._root / SHARED
        self.doors = self._root / "doors"
        self.environments = self._root / "environments"
        self.bytecode = self._root / "bytecode"
        self.images = self._root / "images"
        # The engine is this host's, so the path names one place to it.
        self.name = hashlib.sha256(os.fsencode(self._root)).hexdigest()[:16]
        self._lock = -1

    def take(self) -> None:
        """Raises `SandboxError` when another executor has it."""
        self._root.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self._root / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SandboxError(f"another worker has its sandboxes in {self._root}") from error

    def leave(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
        self._lock = -1

    def prepare(self) -> None:
        """What containers see of AO; no container may be left."""
        for directory in (self.doors, self.environments):
            if directory.exists():
                shutil.rmtree(directory)
        # Whoever could go through a door before its container would be told what that is told.
        self.doors.mkdir(mode=0o700)
        share(self.shared, supervisor=True)
        user = f"agent:x:{UID}:{UID}:agent:{WORK_DIR}:/bin/sh"
        self._write("passwd", f"root:x:0:0:root:/root:/bin/sh\n{user}\n")
        self._write("group", f"root:x:0:\nagent:x:{UID}:\n")

    def _write(self, name: str, text: str) -> None:
        path = self.shared / name
        path.write_text(text)
        path.chmod(0o644)

    def users(self) -> list[Json]:
        """The agent's name for its number."""
        return [mount(self.shared / name, f"/etc/{name}") for name in ("passwd", "group")]
