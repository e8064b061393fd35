"""`index.json` of an OCI image layout in a bucket: changed by one writer at a time where the store can tell."""

import json
from collections.abc import Callable, Collection

import obstore
from obstore.exceptions import AlreadyExistsError, NotSupportedError, PreconditionError
from obstore.store import S3Store

from ao.blobs.oci_index import NAME_ANNOTATION, Entry, encoded, name_of
from ao.blobs.s3_errors import told
from ao.domain.errors import Unavailable
from ao.ids import Digest
from ao.places import Bucket

_FILE = "index.json"
_TRIES = 20


class BucketIndex:
    def __init__(self, store: S3Store, bucket: Bucket) -> None:
        self._store = store
        self._bucket = bucket

    async def add(self, name: str, manifest: Digest, content: bytes) -> None:
        said = json.loads(content)
        kind = {key: said[key] for key in ("mediaType", "artifactType")}
        entry: Entry = {
            **kind,
            "digest": manifest,
            "size": len(content),
            "annotations": {NAME_ANNOTATION: name},
        }
        await self._change(lambda entries: [*(each for each in entries if name_of(each) != name), entry])

    async def drop(self, digests: Collection[Digest]) -> None:
        await self._change(lambda entries: [each for each in entries if each["digest"] not in digests])

    async def _change(self, change: Callable[[list[Entry]], list[Entry]]) -> None:
        for _ in range(_TRIES):
            entries, version = await self._read()
            changed = change(entries)
            if changed == entries and version is not None:
                return
            if await self._write(encoded(changed), version):
                return
        raise Unavailable(f"{self._bucket}/{_FILE} is changed by too many at once")

    async def _read(self) -> tuple[list[Entry], str | None]:
        with told(self._bucket):
            try:
                found = await obstore.get_async(self._store, _FILE)
                content = bytes(await found.bytes_async())
            except FileNotFoundError as error:
                if "NoSuchBucket" in str(error):
                    raise
                return [], None
        entries: list[Entry] = json.loads(content)["manifests"]
        return entries, found.meta["e_tag"]

    async def _write(self, content: bytes, version: str | None) -> bool:
        """Whether nobody has changed it since it was `version`; a store that cannot tell takes the last one."""
        with told(self._bucket):
            try:
                mode = "create" if version is None else {"e_tag": version}
                await obstore.put_async(self._store, _FILE, content, mode=mode)  # type: ignore[arg-type]
            except (AlreadyExistsError, PreconditionError):
                return False
            except NotSupportedError:
                await obstore.put_async(self._store, _FILE, content)
            return True
