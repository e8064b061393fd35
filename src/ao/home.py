"""The home directory: where one server keeps everything, and the lock that makes it one."""

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ao.domain.errors import HomeInUse, InvalidConfig

SECRETS_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Home:
    """Paths below `root`. Only `code` and `environments` are ever visible in a sandbox."""

    root: Path

    @property
    def database(self) -> Path:
        return self.root / "ao.db"

    @property
    def api_key(self) -> Path:
        return self.root / "key"

    @property
    def secrets_key(self) -> Path:
        return self.root / "secrets.key"

    @property
    def server_file(self) -> Path:
        """JSON {url, pid} of the server that runs here; absent when none does."""
        return self.root / "server.json"

    @property
    def worker_file(self) -> Path:
        """JSON {pid, lease_ends} of the worker that runs here alone; the end is on the boot-time clock."""
        return self.root / "worker.json"

    @property
    def releases(self) -> Path:
        return self.root / "releases"

    @property
    def environments(self) -> Path:
        return self.root / "envs"

    @property
    def work(self) -> Path:
        return self.root / "work"

    @property
    def uploads(self) -> Path:
        return self.root / "uploads"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    def prepare(self) -> None:
        """Make the directory, readable by its owner only. InvalidConfig when that is not possible."""
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            for directory in (self.uploads, self.logs, self.work):
                directory.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            verb = "used" if os.path.isdir(self.root) else "made"
            raise InvalidConfig(
                f"the home directory {self.root} cannot be {verb}: {error.strerror}",
                hint="choose another with AO_HOME or --home",
            ) from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold this home until the end of the block or of the process, however it ends.

        Raises HomeInUse when another process holds it.
        """
        handle = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise HomeInUse(
                    f"another AO server is using {self.root}",
                    hint="stop it with `ao down`, or choose another home with AO_HOME",
                ) from None
            yield
        finally:
            os.close(handle)

    def write_server_file(self, url: str) -> None:
        write_private(self.server_file, json.dumps({"url": url, "pid": os.getpid()}))

    def secrets_key_bytes(self) -> bytes:
        """The key that seals secrets; made at the first call. It is never replaced."""
        if not self.secrets_key.exists():
            write_private(self.secrets_key, secrets.token_hex(SECRETS_KEY_BYTES))
        try:
            key = bytes.fromhex(self.secrets_key.read_text().strip())
        except ValueError:
            key = b""
        if len(key) != SECRETS_KEY_BYTES:
            raise InvalidConfig(
                f"{self.secrets_key} is not a secrets key",
                hint="restore it from a backup; without it the stored secrets cannot be opened",
            )
        return key


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step, readable by its owner only from its first moment."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
