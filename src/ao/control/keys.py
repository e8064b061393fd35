"""API keys: random, shown once, kept as hashes."""

import hashlib
import secrets
import string
from collections.abc import Sequence

from ao.store import Store
from ao.store.records import ApiKey

_ALPHABET = string.ascii_letters + string.digits
_LENGTH = 43
"""43 of 62 symbols: 256 bits, so an unsalted hash cannot be searched."""


class Keys:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def issue(self, name: str, role: str) -> str:
        """Make a key and return its text, which is never to be had again."""
        token = "ao_" + "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
        await self._store.keys.create(name, role, hash_key(token))
        return token

    async def authenticate(self, token: str) -> ApiKey | None:
        """The key that this token is, unless it was revoked. The lookup is by hash, so its time tells
        nothing about other keys."""
        return await self._store.keys.find(hash_key(token))

    async def list(self) -> Sequence[ApiKey]:
        return await self._store.keys.list()


def hash_key(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
