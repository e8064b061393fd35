"""Uploads: streamed to disk, bounded, verified, and removed whatever happens."""

import asyncio
import base64
import binascii
import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from fastapi import Request

from ao.domain.errors import InvalidInput, Problem, UploadRefused
from ao.ids import Digest, uuid7
from ao.system import refusal

BUFFER_BYTES = 1 << 20
MEDIA_TYPES = frozenset({"application/x-tar", "application/octet-stream"})

_SHA_256 = re.compile(r"(?:^|,)\s*sha-256=:([A-Za-z0-9+/=]+):\s*(?:,|$)")


@dataclass(frozen=True, slots=True)
class Received:
    path: Path
    digest: Digest

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)


class Uploads:
    """The directory of uploads in flight; one server owns it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def clear(self) -> None:
        """Remove what a server that was killed left behind."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in self._directory.glob("*.upload"):
            path.unlink(missing_ok=True)

    @asynccontextmanager
    async def receive(self, request: Request) -> AsyncIterator[Received]:
        """The request's body as a file for the time of the block.

        Raises InvalidInput for a missing or malformed digest, and as `take` does. A client that hangs up is
        Starlette's ClientDisconnect.
        """
        received = await self.take(request.stream(), content_digest(request.headers.get("content-digest")))
        try:
            yield received
        finally:
            received.discard()

    async def take(self, chunks: AsyncIterator[bytes], expected: Digest) -> Received:
        """What comes as a file, which is the caller's to discard. Raises UploadRefused when it does not have
        the digest, StorageFull, and what the chunks raise."""
        path = self._directory / f"{uuid7()}.upload"
        try:
            actual = await _write(path, chunks)
            if actual != expected:
                raise UploadRefused(
                    "the upload does not have the digest that it was announced with",
                    hint="it was changed or cut on the way: try again",
                    details={"announced": expected, "received": actual},
                )
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return Received(path, actual)


def content_digest(header: str | None) -> Digest:
    """The sha-256 in a `Content-Digest` header (RFC 9530). Raises InvalidInput."""
    match = _SHA_256.search(header or "")
    try:
        value = base64.b64decode(match[1], validate=True) if match else b""
    except binascii.Error:
        value = b""
    if len(value) != hashlib.sha256().digest_size:
        problem = Problem(
            "Content-Digest",
            "is required" if header is None else "is not sha-256=:<base64>:",
            "send `Content-Digest: sha-256=:<base64 of the body's sha256>:`",
        )
        raise InvalidInput(f"Content-Digest {problem.message}", hint=problem.hint, problems=[problem])
    return Digest(f"sha256:{value.hex()}")


async def _write(path: Path, chunks: AsyncIterator[bytes]) -> Digest:
    digest = hashlib.sha256()

    def keep(file: BinaryIO, content: bytes) -> None:
        digest.update(content)
        file.write(content)

    try:
        with path.open("xb") as file:
            buffer = bytearray()
            async for chunk in chunks:
                buffer += chunk
                if len(buffer) >= BUFFER_BYTES:
                    await asyncio.to_thread(keep, file, bytes(buffer))
                    buffer.clear()
            await asyncio.to_thread(keep, file, bytes(buffer))
    except OSError as error:
        refused = refusal(error, "free space; `ao gc` removes what nothing refers to")
        if refused is None:
            raise
        raise refused from error
    return Digest(f"sha256:{digest.hexdigest()}")
