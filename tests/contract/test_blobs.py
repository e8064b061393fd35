"""What every blob store guarantees, on every implementation."""

import asyncio
import hashlib
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.small_disk import small_disk

from ao.blobs import BlobStore
from ao.blobs.local import LocalBlobs
from ao.domain.errors import InvalidInput, NotFound, Unavailable
from ao.ids import Digest
from ao.places import Bucket, S3Access
from ao.system import WHO_OWNS
from ao.testing.s3 import S3Server

Open = Callable[[], BlobStore]
"""Another client of the same store."""
MEMORY = "/dev/shm"
"""On Linux, a file system that is not the one of `tmp_path`."""
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
ABSENT = Digest("sha256:" + "0" * 64)


@pytest.fixture(params=["local", "s3"])
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    if request.param == "local":
        return lambda: LocalBlobs(tmp_path / "store")
    from ao.blobs.s3 import S3Blobs  # noqa: PLC0415 - as AO does

    place = Bucket(request.getfixturevalue("bucket"), "some/prefix")
    access = access_of(request.getfixturevalue("s3_server"))
    return lambda: S3Blobs(place, access)


def access_of(server: S3Server) -> S3Access:
    return S3Access(server.endpoint, None, server.key_id, server.secret)


@pytest.fixture
def blobs(reopen: Open) -> BlobStore:
    return reopen()


async def test_a_blob_is_named_by_its_sha256_and_comes_back_whole(blobs: BlobStore, reopen: Open) -> None:
    digest = await blobs.put(b"content")

    assert digest == "sha256:" + hashlib.sha256(b"content").hexdigest()
    assert await reopen().get(digest) == b"content"
    assert await reopen().exists(digest)


async def test_no_bytes_are_a_blob_too(blobs: BlobStore, tmp_path: Path) -> None:
    digest = await blobs.put(b"")
    assert await blobs.get(digest) == b""
    await blobs.save(digest, tmp_path / "empty")
    assert (tmp_path / "empty").read_bytes() == b""


async def test_large_blobs_come_in_pieces(blobs: BlobStore, tmp_path: Path) -> None:
    content = os.urandom(1 << 20) * 20
    (tmp_path / "file").write_bytes(content)
    digest = await blobs.put_file(tmp_path / "file")
    sizes = [len(chunk) async for chunk in blobs.stream(digest)]
    assert (len(sizes) > 1, sum(sizes)) == (True, len(content))
    await blobs.save(digest, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == content
    assert await blobs.all() == {digest: len(content)}


async def test_a_store_that_works_says_so(blobs: BlobStore) -> None:
    await blobs.check()


async def test_equal_bytes_are_kept_once(blobs: BlobStore) -> None:
    assert await blobs.put(b"same") == await blobs.put(b"same")
    assert list((await blobs.all()).values()) == [4]


async def test_a_file_is_taken_over(blobs: BlobStore, tmp_path: Path) -> None:
    file = tmp_path / "file"
    for _ in range(2):  # the second time the blob is there already
        file.write_bytes(b"x" * 3_000_000)
        digest = await blobs.put_file(file)
        assert not file.exists()

    assert b"".join([chunk async for chunk in blobs.stream(digest)]) == b"x" * 3_000_000


async def test_a_blob_is_saved_as_a_file(blobs: BlobStore, tmp_path: Path) -> None:
    digest = await blobs.put(b"content")

    await blobs.save(digest, tmp_path / "copy")

    assert (tmp_path / "copy").read_bytes() == b"content"


async def test_an_absent_blob_is_not_found(blobs: BlobStore, tmp_path: Path) -> None:
    assert not await blobs.exists(ABSENT)
    with pytest.raises(NotFound):
        await blobs.get(ABSENT)
    with pytest.raises(NotFound):
        await blobs.save(ABSENT, tmp_path / "copy")
    with pytest.raises(NotFound):
        await anext(blobs.stream(ABSENT))


@pytest.mark.parametrize(
    "digest", ["", "sha256:", "sha256:../../../../etc/passwd", "md5:" + "0" * 64, "0" * 64]
)
async def test_what_is_not_a_digest_is_refused(blobs: BlobStore, digest: str) -> None:
    with pytest.raises(InvalidInput):
        await blobs.get(Digest(digest))


async def test_deleting_says_how_much_was_freed_and_passes_over_what_is_absent(blobs: BlobStore) -> None:
    keep, drop = await blobs.put(b"keep"), await blobs.put(b"drop it")

    assert await blobs.delete([drop, ABSENT]) == 7
    assert await blobs.all() == {keep: 4}


async def test_what_was_used_lately_is_not_idle(blobs: BlobStore, reopen: Open) -> None:
    digest = await blobs.put(b"x")

    assert digest not in await blobs.all(idle_seconds=60)
    assert digest in await blobs.all()


async def test_many_writers_of_one_blob_do_not_meet(reopen: Open) -> None:
    stores = [reopen() for _ in range(8)]

    digests = await asyncio.gather(*(store.put(b"y" * 100_000) for store in stores for _ in range(8)))

    assert len(set(digests)) == 1
    assert len(await stores[0].get(digests[0])) == 100_000


# --- the local directory ---------------------------------------------------------------------------


async def keep_manifest(store: LocalBlobs, text: str) -> Digest:
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "application/x", "text": text}
    return await store.put(json.dumps(manifest).encode())


def listed(root: Path) -> dict[str, str]:
    """What another tool finds: name → digest."""
    index = json.loads((root / "index.json").read_bytes())
    assert (index["schemaVersion"], index["mediaType"]) == (2, "application/vnd.oci.image.index.v1+json")
    found = {}
    for entry in index["manifests"]:
        blob = root / "blobs" / entry["digest"].replace(":", "/")
        assert (entry["mediaType"], entry["size"]) == (MANIFEST, blob.stat().st_size)
        found[entry["annotations"]["org.opencontainers.image.ref.name"]] = entry["digest"]
    assert len(found) == len(index["manifests"])
    return found


async def test_the_directory_is_an_oci_image_layout(tmp_path: Path) -> None:
    digest = await LocalBlobs(tmp_path).put(b"{}")

    assert (tmp_path / "oci-layout").read_text() == '{"imageLayoutVersion":"1.0.0"}'
    assert sorted(path.name for path in tmp_path.iterdir()) == ["blobs", "index.json", "oci-layout"]
    assert listed(tmp_path) == {}
    assert (tmp_path / "blobs" / "sha256" / digest[7:]).read_bytes() == b"{}"


async def test_published_manifests_are_listed_by_name_until_they_are_deleted(tmp_path: Path) -> None:
    store = LocalBlobs(tmp_path)
    one, two, three = [await keep_manifest(store, text) for text in ("1", "2", "3")]
    for name, digest in {"a": one, "b": two, "c": three}.items():
        await store.publish(digest, name)
    await store.publish(two, "b")
    await store.publish(two, "c")

    assert listed(tmp_path) == {"a": one, "b": two, "c": two}
    await LocalBlobs(tmp_path).delete([one, three])
    assert listed(tmp_path) == {"b": two, "c": two}


async def test_many_processes_publish_at_once(tmp_path: Path) -> None:
    script = """
import asyncio, pathlib, sys
from ao.blobs.local import LocalBlobs
async def main(root, number):
    store = LocalBlobs(pathlib.Path(root))
    for i in range(5):
        manifest = b'{"mediaType":"%s","artifactType":"x","number":%s%d}' % (sys.argv[3].encode(), number, i)
        await store.publish(await store.put(manifest), f"{number.decode()}-{i}")
asyncio.run(main(sys.argv[1], sys.argv[2].encode()))
"""
    argv = [sys.executable, "-c", script, str(tmp_path)]
    processes = [await asyncio.create_subprocess_exec(*argv, str(number), MANIFEST) for number in range(1, 5)]

    assert {await process.wait() for process in processes} == {0}
    assert set(listed(tmp_path)) == {f"{number}-{i}" for number in range(1, 5) for i in range(5)}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["blobs", "index.json", "oci-layout"]


async def test_blobs_cannot_be_written_to_and_nothing_is_left_beside_them(tmp_path: Path) -> None:
    digest = await LocalBlobs(tmp_path).put(b"x")

    (file,) = (tmp_path / "blobs" / "sha256").iterdir()
    assert file.name == digest[7:]
    assert stat.S_IMODE(file.stat().st_mode) == 0o444


async def test_asking_for_a_blob_keeps_it_from_being_idle(tmp_path: Path) -> None:
    store = LocalBlobs(tmp_path)
    digest = await store.put(b"x")
    os.utime(tmp_path / "blobs" / "sha256" / digest[7:], (1, 1))
    assert digest in await store.all(idle_seconds=60)

    await store.exists(digest)

    assert digest not in await store.all(idle_seconds=60)


async def test_a_file_of_another_file_system_is_copied(tmp_path: Path) -> None:
    if not os.path.isdir(MEMORY) or os.stat(MEMORY).st_dev == os.stat(tmp_path).st_dev:
        pytest.skip("there is one file system only")
    file = Path(MEMORY, f"ao-test-{os.getpid()}")
    file.write_bytes(b"elsewhere")

    digest = await LocalBlobs(tmp_path).put_file(file)

    assert not file.exists()
    assert await LocalBlobs(tmp_path).get(digest) == b"elsewhere"


def test_bytes_reach_the_disk_before_the_name_does(tmp_path: Path) -> None:
    """fsync of the file, then rename, then fsync of the directory, seen from a tracing audit hook."""
    script = """
import asyncio, os, sys, pathlib
from ao.blobs.local import LocalBlobs
store = LocalBlobs(pathlib.Path(sys.argv[1]))
calls, fsync, rename = [], os.fsync, os.rename
os.fsync = lambda fd: (calls.append("fsync"), fsync(fd))
os.rename = lambda a, b: (calls.append("rename"), rename(a, b))
asyncio.run(store.put(b"x"))
print(*calls)
"""
    ended = subprocess.run([sys.executable, "-c", script, tmp_path], capture_output=True, text=True, check=True)

    assert ended.stdout.split() == ["fsync", "rename", "fsync"]


async def test_a_place_that_is_read_only_is_named_with_what_to_look_at(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "4m") as disk:
        blobs = LocalBlobs(disk.path)
        await blobs.check()
        disk.refuse_writes()
        for refused in (blobs.check(), blobs.put(b"content")):
            with pytest.raises(Unavailable, match=str(disk.path)) as told:
                await refused
            assert told.value.hint == WHO_OWNS
