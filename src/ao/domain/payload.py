"""JSON values as they are kept: small ones as text, large ones by the digest of a blob."""

from dataclasses import dataclass

from ao.ids import Digest

INLINE_BYTES = 64 * 1024
"""Payloads above this size are kept as blobs and referred to by digest."""


@dataclass(frozen=True, slots=True)
class Payload:
    """A JSON value: inline as text, or a blob when it is larger than `INLINE_BYTES`."""

    inline: str | None = None
    blob: Digest | None = None
