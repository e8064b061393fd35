"""Archives as streams of messages: the first says what is to come, each has some of the bytes in `data`."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

from google.protobuf.message import Message
from pydantic import Field

from ao.domain.errors import InvalidInput, Problem
from ao.ids import Digest
from ao.server.grpc.methods import Call
from ao.server.services import Services
from ao.server.uploads import Received, Uploads
from ao.wire.refusals import invalid
from ao.wire.schemas import Request

T = TypeVar("T")

DATA = "data"


class Archive(Request):
    """Of the first message."""

    digest: str = Field(pattern=r"^sha256:[0-9a-f]{64}$", description="Of the whole archive.")
    data: bytes = b""


class Intake:
    """Takes the archive of a call to the disk, and has something done with it once it is there."""

    def __init__(self, services: Services) -> None:
        self._uploads = Uploads(services.uploads)
        self._most = services.max_upload

    async def use(self, call: Call, first: Archive, work: Callable[[Received], Awaitable[T]]) -> T:
        """What `work` makes of it: from there on it goes on also when the client leaves. Raises UploadRefused,
        InvalidInput, StorageFull."""
        received = await self._uploads.take(self._bytes(call, first), Digest(first.digest))

        async def do() -> T:
            try:
                return await work(received)
            finally:
                received.discard()

        return await call.finish(do())

    async def _bytes(self, call: Call, first: Archive) -> AsyncIterator[bytes]:
        size = len(first.data)
        yield first.data
        while (message := await call.receive()) is not None:
            data = _only_data(message)
            size += len(data)
            if size > self._most:
                raise InvalidInput(
                    f"the upload is too large: at most {self._most:,} bytes are taken", hint="send less"
                )
            yield data


def _only_data(message: Any) -> bytes:
    said = [field.name for field, _ in message.ListFields() if field.name != DATA]
    if said:
        raise invalid([Problem(name, "is for the first message of the stream alone") for name in said])
    data: bytes = message.data
    return data


def parts_of(pieces: AsyncIterator[bytes], kind: Callable[..., Message], most: int) -> AsyncIterator[Message]:
    """Messages with the bytes of an answer, none of them large."""

    async def messages() -> AsyncIterator[Message]:
        async for piece in pieces:
            for start in range(0, len(piece), most):
                yield kind(data=piece[start : start + most])

    return messages()
