"""How blobs are named."""

import hashlib

from ao.domain.errors import InvalidInput
from ao.ids import Digest


def digest_of(content: bytes) -> Digest:
    return Digest("sha256:" + hashlib.sha256(content).hexdigest())


def hex_of(digest: Digest) -> str:
    """The 64 digits of a digest. Raises InvalidInput for anything else."""
    algorithm, _, name = digest.partition(":")
    if algorithm != "sha256" or len(name) != 64 or not set(name) <= set("0123456789abcdef"):
        raise InvalidInput(f"{digest!r} is not a digest")
    return name
