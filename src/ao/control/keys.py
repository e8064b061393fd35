"""API keys: random, shown once, kept as hashes."""

import hashlib
import secrets
import string
from collections.abc import Sequence

from ao.control import audit
from ao.domain.access import Role
from ao.domain.errors import Conflict, Unavailable
from ao.ids import ApiKeyId, new_api_key_id
from ao.logs import get_logger
from ao.store import Store
from ao.store.records import ApiKey, NewApiKey

log = get_logger(__name__)

_ALPHABET = string.ascii_letters + string.digits
_LENGTH = 43
"""43 of 62 symbols: 256 bits, so an unsalted hash cannot be searched."""

LAST_USE_US = 60_000_000
"""The last use of a key is this exact: one write a minute, however many requests."""

SYSTEM = "system"


class Keys:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def issue(
        self,
        name: str,
        role: Role,
        *,
        actor: str = SYSTEM,
        agents: Sequence[str] = (),
        expires_seconds: float | None = None,
    ) -> tuple[ApiKey, str]:
        """Make a key: (what is kept of it, its text, which is never to be had again)."""
        token = "ao_" + "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
        expires_us = None
        if expires_seconds is not None:
            expires_us = await self._store.schedules.now_us() + int(expires_seconds * 1e6)
        new = NewApiKey(
            new_api_key_id(), name, role.value, hash_key(token), sorted(set(agents)), expires_us, actor
        )
        entry = audit.entry(
            actor, "key.create", f"key:{new.id}", "", name=name, role=role.value, agents=list(new.agents)
        )
        return await self._store.keys.create(new, entry), token

    async def create(
        self, name: str, role: Role, actor: str, agents: Sequence[str], expires_seconds: float | None
    ) -> tuple[ApiKey, str]:
        """`issue` for people, who tell keys apart by name. Raises Conflict for one that is in use."""
        if any(key.name == name and key.revoked_us is None for key in await self.list()):
            raise Conflict(
                f"there is a key {name!r} already", hint="choose another name, or revoke that one first"
            )
        return await self.issue(name, role, actor=actor, agents=agents, expires_seconds=expires_seconds)

    async def authenticate(self, token: str) -> ApiKey | None:
        """The key that this token is, unless it was revoked or has expired. The lookup is by hash, so its time
        tells nothing about other keys."""
        key = await self._store.keys.find(hash_key(token))
        if key is not None:
            await self._note_use(key)
        return key

    async def _note_use(self, key: ApiKey) -> None:
        now_us = await self._store.schedules.now_us()
        if key.last_used_us is not None and now_us - key.last_used_us < LAST_USE_US:
            return
        try:
            await self._store.keys.touch(key.id)
        except Unavailable as error:  # a store that takes no writes can still be read
            log.warning("last use of a key not noted", key=key.name, error=error.message)

    async def list(self) -> Sequence[ApiKey]:
        return await self._store.keys.list()

    async def revoke(self, key_id: ApiKeyId, actor: str) -> ApiKey:
        """End a key now; every server notices within seconds."""
        return await self._store.keys.revoke(key_id, audit.entry(actor, "key.revoke", f"key:{key_id}", ""))


def hash_key(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
