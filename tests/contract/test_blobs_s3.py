"""What a bucket alone brings: marks of use, wrong keys and buckets, other bytes, a store that is away."""

import asyncio
import json
import socket
from datetime import timedelta
from pathlib import Path

import obstore
import pytest
from obstore.store import S3Store

from ao.blobs import s3 as s3_blobs
from ao.blobs.s3 import S3Blobs, open_s3
from ao.domain.errors import InternalError, InvalidConfig, NotFound, Unavailable
from ao.ids import Digest
from ao.places import Bucket, S3Access
from ao.testing.s3 import S3Server

MANIFEST = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "artifactType": "x"}


@pytest.fixture
def access(s3_server: S3Server) -> S3Access:
    return S3Access(s3_server.endpoint, None, s3_server.key_id, s3_server.secret)


@pytest.fixture
def place(bucket: str) -> Bucket:
    return Bucket(bucket, "ao")


@pytest.fixture
def raw(place: Bucket, access: S3Access) -> S3Store:
    """As another tool sees the bucket."""
    assert access.endpoint is not None
    return S3Store(
        place.name,
        config={
            "endpoint": access.endpoint,
            "region": "us-east-1",
            "access_key_id": access.key_id or "",
            "secret_access_key": access.secret or "",
        },
        client_options={"allow_http": True},
    )


async def read(store: S3Store, path: str) -> bytes:
    return bytes(await (await obstore.get_async(store, path)).bytes_async())


async def test_the_bucket_is_an_oci_image_layout(place: Bucket, access: S3Access, raw: S3Store) -> None:
    store = await open_s3(place, access)
    digests = {}
    for name in ("a", "b"):
        digests[name] = await store.put(json.dumps({**MANIFEST, "name": name}).encode())
        await store.publish(digests[name], name)
    assert json.loads(await read(raw, "ao/oci-layout")) == {"imageLayoutVersion": "1.0.0"}
    assert await listed(raw) == digests
    for name, digest in digests.items():
        found = await read(raw, f"ao/blobs/{digest.replace(':', '/')}")
        assert json.loads(found)["name"] == name
    await store.delete([digests["a"]])
    assert await listed(raw) == {"b": digests["b"]}


async def listed(raw: S3Store) -> dict[str, str]:
    index = json.loads(await read(raw, "ao/index.json"))
    return {
        each["annotations"]["org.opencontainers.image.ref.name"]: each["digest"] for each in index["manifests"]
    }


async def test_many_publish_at_once_and_none_is_lost(place: Bucket, access: S3Access, raw: S3Store) -> None:
    stores = [S3Blobs(place, access) for _ in range(4)]

    async def publish(store: S3Blobs, name: str) -> None:
        await store.publish(await store.put(json.dumps({**MANIFEST, "name": name}).encode()), name)

    names = [f"{store}-{number}" for store in range(4) for number in range(3)]
    await asyncio.gather(*(publish(stores[int(name[0])], name) for name in names))
    assert sorted(await listed(raw)) == sorted(names)


async def test_asking_for_an_old_blob_marks_it_as_used(
    place: Bucket, access: S3Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_blobs, "_FRESH_SECONDS", 0.0)
    store = S3Blobs(place, access)
    old, asked = await store.put(b"old"), await store.put(b"asked for")
    await asyncio.sleep(4.1)  # a store's times are whole seconds
    assert set(await store.all(idle_seconds=3)) == {old, asked}
    assert await store.exists(asked)
    assert set(await store.all(idle_seconds=3)) == {old}
    assert await S3Blobs(place, access).delete([old, asked]) == len(b"old") + len(b"asked for")
    assert await store.all() == {}


async def test_other_bytes_than_the_name_says_are_told(place: Bucket, access: S3Access, raw: S3Store) -> None:
    store = S3Blobs(place, access)
    digest = await store.put(b"right")
    await obstore.put_async(raw, f"ao/blobs/{digest.replace(':', '/')}", b"wrong")
    with pytest.raises(InternalError, match="other bytes"):
        await store.get(digest)


async def test_a_bucket_that_is_not_there_is_named(access: S3Access) -> None:
    with pytest.raises(InvalidConfig, match="there is no bucket nowhere-at-all") as caught:
        await open_s3(Bucket("nowhere-at-all"), access)
    assert "AO_BLOBS" in caught.value.hint


@pytest.mark.parametrize("key", ["wrong secret", "unknown key", "may only read"])
async def test_a_key_that_may_not_is_told_at_the_start(place: Bucket, s3_server: S3Server, key: str) -> None:
    pairs = {
        "wrong secret": (s3_server.key_id, "wrong"),
        "unknown key": ("nobody", "wrong"),
        "may only read": (s3_server.reader_id, s3_server.reader_secret),
    }
    with pytest.raises(InvalidConfig, match="may not read and write") as caught:
        await open_s3(place, S3Access(s3_server.endpoint, None, *pairs[key]))
    assert "AO_S3_SECRET_ACCESS_KEY" in caught.value.hint


async def test_a_store_that_does_not_answer_is_unavailable(
    place: Bucket, access: S3Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_blobs, "_RETRIES", {"max_retries": 1, "retry_timeout": timedelta(seconds=1)})
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    store = S3Blobs(place, S3Access(f"http://127.0.0.1:{port}", None, access.key_id, access.secret))
    with pytest.raises(Unavailable, match=f"s3://{place.name}/ao cannot be used now") as caught:
        await store.put(b"x")
    assert "AO_S3_ENDPOINT" in caught.value.hint
    with pytest.raises(Unavailable):
        await store.all()


async def test_a_name_that_is_absent_makes_no_file(place: Bucket, access: S3Access, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        await S3Blobs(place, access).save(Digest("sha256:" + "0" * 64), tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []
