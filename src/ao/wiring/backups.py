"""Copies of a home, made while its server runs, and homes made of copies.

First the database, at one moment, then the blobs: what the database names is there before it is named, so the
blobs of a later moment have it. What can be made again (environments, unpacked releases) is left out.
"""

import asyncio
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from ao import __version__
from ao.blobs.names import hex_of
from ao.clock import iso_utc
from ao.domain.errors import Conflict, InvalidInput, NotFound, Unavailable, UsageError
from ao.home import Home
from ao.settings import Settings
from ao.store.sql import migrate, open_sqlite, sqlite_opening
from ao.store.sql.sqlite_connection import connect

_SAID = "backup.json"
_BLOBS = "blobs/sha256"
_LAYOUT = ("oci-layout", "index.json")
_KEYS = ("secrets.key", "key")
_RECORDS = "wheels"
"""What environments were made of."""


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup says of itself."""

    version: str
    schema: str
    at: str
    database_sha256: str
    database_bytes: int
    blobs: int
    blob_bytes: int
    keys: tuple[str, ...]


def back_up(settings: Settings, target: Path) -> Backup:
    """Copy the home into a new directory; complete or absent. Its server may run.

    Raises UsageError for what is not in the home (Postgres, S3), Conflict when `target` exists,
    NotFound without a database, Unavailable when blobs went away meanwhile.
    """
    home, blobs = _of_one_home(settings)
    if not home.database.exists():
        raise NotFound(f"there is no database in {home.root}", hint="--home names another home")
    if target.exists():
        raise Conflict(f"{target} exists", hint="name a new directory for each backup")
    partial = target.with_name(f"{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o700, parents=True)
    there = set(_names(blobs))
    with closing(connect(home.database, read_only=True)) as connection:
        found = sqlite_opening.read_versions(connection)
        sqlite_opening.back_up(connection, partial / home.database.name)
    sizes = list(_copy_blobs(blobs, partial / "blobs", _link_or_copy))
    if found is not None and found.schema == migrate.HEAD:  # to look into an older one would upgrade it
        _check_complete(partial, there)
    for name in _KEYS:
        if (home.root / name).exists():
            shutil.copy2(home.root / name, partial / name)
    if (home.root / _RECORDS).is_dir():
        shutil.copytree(home.root / _RECORDS, partial / _RECORDS, ignore=shutil.ignore_patterns(".new-*"))
    database = partial / home.database.name
    said = Backup(
        version=__version__,
        schema=found.schema if found else "",
        at=iso_utc(time.time_ns() // 1000),
        database_sha256=_sha256(database),
        database_bytes=database.stat().st_size,
        blobs=len(sizes),
        blob_bytes=sum(sizes),
        keys=tuple(name for name in _KEYS if (partial / name).exists()),
    )
    (partial / _SAID).write_text(json.dumps(asdict(said), indent=1) + "\n")
    _sync_tree(partial)
    partial.rename(target)
    return said


def restore(settings: Settings, source: Path) -> Backup:
    """Make the home that was backed up; every byte is checked. A restore that was cut off may be repeated.

    Raises InvalidInput when the backup is not whole, Conflict when the home has a database, HomeInUse,
    SchemaTooNew.
    """
    home, blobs = _of_one_home(settings)
    said = read(source)
    if home.database.exists():
        raise Conflict(
            f"{home.root} has a database already", hint="move it away first, or restore into another home"
        )
    database = source / home.database.name
    if _sha256(database) != said.database_sha256:
        raise InvalidInput(f"{database} is not what was backed up", hint="use another copy of this backup")
    sqlite_opening.inspect(database)
    home.prepare()
    with home.locked():
        count = sum(1 for _ in _copy_blobs(source / "blobs", blobs, _copy_checked))
        if count < said.blobs:
            raise InvalidInput(
                f"{source} has {count} of {said.blobs} blobs", hint="use another copy of this backup"
            )
        if (source / _RECORDS).is_dir():
            shutil.copytree(source / _RECORDS, home.root / _RECORDS, dirs_exist_ok=True)
        for name in said.keys:
            shutil.copy2(source / name, home.root / name)
        arriving = home.database.with_name(f"{home.database.name}.restoring")
        shutil.copyfile(database, arriving)
        _sync(arriving)
        arriving.rename(home.database)
        _sync(home.root)
    return said


def read(source: Path) -> Backup:
    try:
        fields = json.loads((source / _SAID).read_text())
        return Backup(**{**fields, "keys": tuple(fields["keys"])})
    except (OSError, ValueError, TypeError, KeyError) as error:
        why = f"it has no {_SAID}" if isinstance(error, FileNotFoundError) else str(error)
        raise InvalidInput(f"{source} is not a backup of `ao backup`: {why}") from error


def _of_one_home(settings: Settings) -> tuple[Home, Path]:
    home = Home(settings.home)
    if settings.on_postgres or settings.database_url != f"sqlite:///{home.database}":
        raise UsageError(
            "`ao backup` and `ao restore` are for a home with its database in it",
            hint="docs/operations.md has the commands for Postgres",
        )
    if not isinstance(settings.blobs, Path):
        raise UsageError(
            f"`ao backup` and `ao restore` are for blobs in a directory, and AO_BLOBS is {settings.blobs}",
            hint="docs/operations.md has the commands for S3",
        )
    return home, settings.blobs


def _copy_blobs(source: Path, target: Path, copy: Callable[[Path, Path], None]) -> Iterator[int]:
    """Copies those that are not there; yields the sizes of all."""
    (target / _BLOBS).mkdir(mode=0o700, parents=True, exist_ok=True)
    if (source / _BLOBS).is_dir():
        with os.scandir(source / _BLOBS) as found:
            for blob in found:
                place = target / _BLOBS / blob.name
                if blob.name.startswith("."):
                    continue
                try:
                    if not place.exists():
                        copy(Path(blob.path), place)
                except FileNotFoundError:
                    continue  # collected meanwhile; what is needed is looked at afterwards
                yield place.stat().st_size
    for name in _LAYOUT:
        if (source / name).exists():
            shutil.copyfile(source / name, target / name)


def _link_or_copy(source: Path, target: Path) -> None:
    """Blobs never change; on one file system a second name is a copy."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _copy_checked(source: Path, target: Path) -> None:
    arriving = target.with_name(f".new-{target.name}")
    shutil.copy2(source, arriving)
    if _sha256(arriving) != target.name:
        arriving.unlink()
        raise InvalidInput(f"{source} is not what was backed up", hint="use another copy of this backup")
    _sync(arriving)
    arriving.rename(target)


def _names(blobs: Path) -> list[str]:
    return os.listdir(blobs / _BLOBS) if (blobs / _BLOBS).is_dir() else []


def _check_complete(backup: Path, there: set[str]) -> None:
    """Everything that the copied database names, and that was there before, has been copied."""

    async def named() -> list[str]:
        store = await open_sqlite(backup / "ao.db")
        try:
            return [hex_of(digest) for digest in (await store.deployments.in_use())[1]]
        finally:
            await store.close()

    missing = sorted((there & set(asyncio.run(named()))) - set(_names(backup / "blobs")))
    if missing:
        shutil.rmtree(backup)
        raise Unavailable(
            f"{len(missing)} blobs went away while they were copied, such as {missing[0][:12]}",
            hint="back up again; no `ao gc` may run meanwhile",
        )


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise InvalidInput(f"{path} is missing", hint="use another copy of this backup") from None


def _sync_tree(root: Path) -> None:
    for directory, _, names in os.walk(root):
        for name in names:
            _sync(Path(directory, name))
        _sync(Path(directory))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
