"""Content-addressed bytes: written once, never changed, named by their sha256."""

from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import Protocol

from ao.ids import Digest


class BlobStore(Protocol):
    """A blob is durable when `put` returns; equal bytes have one name and are kept once.

    A digest that is not there raises `NotFound`; a full disk `StorageFull`.
    """

    @property
    def place(self) -> str:
        """Where it is, in words."""
        ...

    async def check(self) -> None:
        """Raises Unavailable or StorageFull when it cannot be used now."""
        ...

    async def put(self, content: bytes) -> Digest: ...

    async def put_file(self, path: Path) -> Digest:
        """Take over the file at `path` (same file system: moved; it is gone afterwards)."""
        ...

    async def publish(self, manifest: Digest, name: str) -> None:
        """Show the OCI manifest that is kept under `manifest`, by a name, to other tools that read this store;
        until it is deleted."""
        ...

    async def get(self, digest: Digest) -> bytes: ...

    def stream(self, digest: Digest) -> AsyncIterator[bytes]: ...

    async def exists(self, digest: Digest) -> bool:
        """Asking counts as a use, like `put`."""
        ...

    async def delete(self, digests: Iterable[Digest]) -> int:
        """Remove blobs; returns the bytes freed. Absent ones are skipped."""
        ...

    async def save(self, digest: Digest, target: Path) -> None:
        """Make `target`, a new file with the blob's bytes; it may be the blob itself: never write to it."""
        ...

    async def all(self, idle_seconds: float = 0.0) -> Mapping[Digest, int]:
        """Blobs that were last used at least so long ago, with their sizes in bytes."""
        ...
