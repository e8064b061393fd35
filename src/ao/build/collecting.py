"""Mark and sweep over what builds leave behind: environments, unpacked releases, blobs, abandoned work."""

import os
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from ao.build.releases import remove_tree


@dataclass(frozen=True, slots=True)
class Swept:
    count: int = 0
    freed_bytes: int = 0


def sweep(root: Path, keep: Collection[str], idle_seconds: float, dry_run: bool) -> Swept:
    """Remove the directories of `root` whose names are not kept and that lay idle for so long."""
    count = freed = 0
    for directory in _idle(root, idle_seconds):
        if directory.name not in keep:
            count += 1
            freed += tree_bytes(directory)
            if not dry_run:
                remove_tree(directory)
    return Swept(count, freed)


def tree_bytes(root: Path) -> int:
    """Bytes of all files; a file with several names counts once."""
    seen: set[tuple[int, int]] = set()
    total = 0
    for directory, _, names in os.walk(root):
        for name in names:
            status = os.lstat(os.path.join(directory, name))
            if (status.st_dev, status.st_ino) not in seen:
                seen.add((status.st_dev, status.st_ino))
                total += status.st_size
    return total


def _idle(root: Path, idle_seconds: float) -> Iterator[Path]:
    newest = time.time() - idle_seconds
    for item in sorted(root.iterdir()):
        if item.is_dir() and not item.is_symlink() and (not idle_seconds or item.stat().st_mtime <= newest):
            yield item
