"""JSON values in and out of the store: small ones inline, large ones as blobs."""

import json

from pydantic import JsonValue

from ao.blobs import BlobStore
from ao.domain.errors import InvalidInput, Problem
from ao.store.records import INLINE_BYTES, Payload
from ao_runner.protocol import MAX_VALUE_BYTES

MAX_PAYLOAD_BYTES = MAX_VALUE_BYTES


def dump(value: JsonValue) -> str:
    """Compact JSON text with sorted keys, so that equal values have equal text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False)


class Payloads:
    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs

    async def keep(self, text: str, field: str) -> Payload:
        """Keep JSON text. More than `MAX_PAYLOAD_BYTES` is refused, naming `field`."""
        if len(text) <= INLINE_BYTES // 4:  # cheap check: UTF-8 needs at most 4 bytes a character
            return Payload(inline=text)
        content = text.encode("utf-8", "surrogatepass")
        if len(content) > MAX_PAYLOAD_BYTES:
            raise InvalidInput(
                f"{field} is {len(content):,} bytes; at most {MAX_PAYLOAD_BYTES:,} are taken",
                hint="pass a reference, such as a path or URL, in place of the content",
                problems=[Problem(field, f"larger than {MAX_PAYLOAD_BYTES:,} bytes")],
            )
        if len(content) <= INLINE_BYTES:
            return Payload(inline=text)
        return Payload(blob=await self._blobs.put(content))

    async def text(self, payload: Payload | None) -> str | None:
        if payload is None:
            return None
        if payload.blob is not None:
            return (await self._blobs.get(payload.blob)).decode("utf-8", "surrogatepass")
        return payload.inline

    async def value(self, payload: Payload | None) -> JsonValue:
        text = await self.text(payload)
        result: JsonValue = None if text is None else json.loads(text)
        return result
