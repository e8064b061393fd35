"""Logging in to the dashboard: by a link that works once, or by an API key. Tokens are random; the store
keeps their hashes."""

import secrets

from ao.control.keys import Keys, hash_key
from ao.domain.errors import Unauthenticated
from ao.ids import ApiKeyId
from ao.store import Store
from ao.store.records import Login

SITE_PATH = "/ui"
"""Where the server mounts the dashboard."""
LINK_SECONDS = 3600
SESSION_SECONDS = 7 * 24 * 3600
_TOKEN_BYTES = 32


class Logins:
    def __init__(self, store: Store, keys: Keys) -> None:
        self._store = store
        self._keys = keys

    async def offer(self, key_id: ApiKeyId) -> str:
        """The path of a link that logs in as this key once, within `LINK_SECONDS`."""
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        await self._store.logins.offer(hash_key(token), key_id, LINK_SECONDS * 1_000_000)
        return f"{SITE_PATH}/login?token={token}"

    async def redeem(self, link_token: str) -> str:
        """The token of the session that a link opens. Raises Unauthenticated."""
        session = secrets.token_urlsafe(_TOKEN_BYTES)
        lifetime_us = SESSION_SECONDS * 1_000_000
        if not await self._store.logins.redeem(hash_key(link_token), hash_key(session), lifetime_us):
            raise Unauthenticated(
                "this link has been used, or is too old", hint="`ao dashboard` prints a fresh one"
            )
        return session

    async def open(self, api_key: str) -> str:
        """The token of a session of this API key. Raises Unauthenticated."""
        key = await self._keys.authenticate(api_key.strip())
        if key is None:
            raise Unauthenticated(
                "this API key is not valid here: wrong, revoked or of another server",
                hint="`ao up` keeps its key in the file `key` of its home directory",
            )
        session = secrets.token_urlsafe(_TOKEN_BYTES)
        await self._store.logins.open(hash_key(session), key.id, SESSION_SECONDS * 1_000_000)
        return session

    async def find(self, session_token: str) -> Login | None:
        return await self._store.logins.find(hash_key(session_token))

    async def close(self, session_token: str) -> None:
        await self._store.logins.close(hash_key(session_token))
