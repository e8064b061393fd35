"""What failures of an S3-compatible store mean, in AO's words."""

from collections.abc import Iterator
from contextlib import contextmanager

from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

from ao.domain.errors import AoError, NotFound, StorageFull, Unavailable
from ao.ids import Digest
from ao.places import Bucket

_FULL = ("InsufficientStorage", "QuotaExceeded", "StorageFull", "507")
_KEY_REFUSED = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied", "ExpiredToken", "InvalidToken")
_SHOWN = 300
REFUSED = "refused"
"""In the details of an error that does not go away by waiting."""


@contextmanager
def told(bucket: Bucket, digest: Digest | None = None) -> Iterator[None]:
    """Raises in the place of the client's errors: NotFound (of `digest`), StorageFull, Unavailable."""
    try:
        yield
    except (BaseError, FileNotFoundError) as error:
        raise _meaning(bucket, digest, error) from error


def _meaning(bucket: Bucket, digest: Digest | None, error: BaseError | FileNotFoundError) -> AoError:
    text = str(error)
    if "NoSuchBucket" in text:
        return _refused(f"there is no bucket {bucket.name}", "make it, or correct AO_BLOBS and AO_S3_ENDPOINT")
    if isinstance(error, FileNotFoundError) and digest is not None:
        return NotFound(f"there is no blob {digest}")
    if isinstance(error, PermissionDeniedError | UnauthenticatedError) or any(w in text for w in _KEY_REFUSED):
        return _refused(
            f"the key may not read and write {bucket}",
            "correct AO_S3_ACCESS_KEY_ID and AO_S3_SECRET_ACCESS_KEY, or what the key may do: list the bucket, "
            "and get, put and delete its objects",
        )
    if any(word in text for word in _FULL):
        return StorageFull(f"{bucket} has no more room", hint="make room, or run `ao gc`")
    said = " ".join(text.partition("Debug source")[0].split())[:_SHOWN]
    return Unavailable(f"{bucket} cannot be used now: {said}", hint="see that AO_S3_ENDPOINT answers")


def _refused(message: str, hint: str) -> Unavailable:
    return Unavailable(message, hint=hint, details={REFUSED: True})
