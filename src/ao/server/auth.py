"""Bearer API keys. The store keeps hashes; the lookup is by hash, so its time tells nothing about keys."""

import time
from collections import OrderedDict

from ao.control.keys import Keys, hash_key
from ao.domain.errors import Unauthenticated
from ao.store.records import ApiKey

REMEMBERED_SECONDS = 2.0
"""A revoked key works for at most this long."""
REMEMBERED_KEYS = 1024

HINT = "send `Authorization: Bearer ao_…`; `ao up` keeps its key in the file `key` of its home directory"


class Authenticator:
    """Finds the key of a request; a key that was just seen needs no database."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._seen: OrderedDict[str, tuple[float, ApiKey]] = OrderedDict()

    async def key(self, authorization: bytes | None) -> ApiKey:
        """The key in an Authorization header's value. Raises Unauthenticated."""
        token = _token(authorization)
        digest = hash_key(token)
        remembered = self._seen.get(digest)
        if remembered is not None and remembered[0] > time.monotonic():
            return remembered[1]
        key = await self._keys.authenticate(token)
        if key is None:
            self._seen.pop(digest, None)
            raise Unauthenticated(
                "this API key is not valid here: wrong, revoked, expired or of another server", hint=HINT
            )
        self._seen[digest] = (time.monotonic() + REMEMBERED_SECONDS, key)
        if len(self._seen) > REMEMBERED_KEYS:
            self._seen.popitem(last=False)
        return key


def _token(authorization: bytes | None) -> str:
    if not authorization:
        raise Unauthenticated("an API key is needed", hint=HINT)
    scheme, _, token = authorization.decode("latin-1").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("the Authorization header is not `Bearer <API key>`", hint=HINT)
    return token
