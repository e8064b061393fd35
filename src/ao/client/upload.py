"""A project directory on its way to the server."""

import base64
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ao.client.target import Target
from ao.client.wire import Call, Request, request
from ao.ids import Digest
from ao.project import config, packing

CHUNK = 1 << 20
ANSWER_SECONDS = 300.0
"""The server unpacks and checks the project before it answers."""


@dataclass(frozen=True, slots=True)
class Packed:
    agent: str
    file: Path
    size: int
    digest: Digest
    warnings: Sequence[str]

    def request(self, call: Call[Any], target: Target) -> Request:
        plain = request(call, target)
        hashed = base64.b64encode(bytes.fromhex(self.digest.removeprefix("sha256:"))).decode()
        headers = {
            **plain.headers,
            "content-type": "application/x-tar",
            "content-digest": f"sha-256=:{hashed}:",
        }
        return Request(plain.method, plain.path, headers, None, ANSWER_SECONDS)

    def chunks(self) -> Iterator[bytes]:
        with self.file.open("rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk


@contextmanager
def packed(root: Path) -> Iterator[Packed]:
    """The project's archive as a temporary file. Raises InvalidConfig and InvalidInput with all problems."""
    agent = config.load(root).name
    with tempfile.TemporaryDirectory(prefix="ao-deploy-") as directory:
        target = Path(directory) / "project.tar"
        made = packing.pack(root, target)
        yield Packed(agent, target, made.size, made.digest, made.warnings)
