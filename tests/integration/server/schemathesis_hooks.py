"""Loaded by schemathesis: how to send the one body that is not JSON."""

from typing import Any

import schemathesis


@schemathesis.serializer("application/x-tar")
def tar(_context: schemathesis.SerializationContext, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
