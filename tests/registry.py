"""A registry of container images on loopback: Debian's, gone at the end."""

import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.databases import IN_CI, install, missing

from ao.testing.ports import free_port

START_SECONDS = 90.0


@contextmanager
def registry(root: Path) -> Iterator[str]:
    """`host:port` of a registry that keeps everything in `root`."""
    if IN_CI and shutil.which("docker-registry") is None:
        install("docker-registry")
    if shutil.which("docker-registry") is None:
        missing("no registry: install docker-registry")
    address = f"127.0.0.1:{free_port()}"
    config = root / "registry.yml"
    config.write_text(
        f"version: 0.1\nlog: {{level: warn}}\nhttp: {{addr: '{address}'}}\n"
        f"storage: {{filesystem: {{rootdirectory: '{root / 'kept'}'}}}}\n"
    )
    with (root / "registry.log").open("wb") as log:
        process = subprocess.Popen(["docker-registry", "serve", config], stdout=log, stderr=log)
    try:
        _wait_until_ready(address, process, root / "registry.log")
        yield address
    finally:
        process.terminate()
        process.wait(START_SECONDS)


def _wait_until_ready(address: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"http://{address}/v2/", timeout=5):
                return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the registry does not come up:\n{log.read_text()[-2000:]}") from None
            time.sleep(0.05)
