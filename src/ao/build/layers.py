"""An unpacked project as the layers of an artifact."""

import hashlib
import io
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ao.domain import artifact
from ao.domain.agent_config import AgentConfig
from ao.domain.artifact import Part
from ao.ids import Digest
from ao.project import archive, packing, paths
from ao.project.archive import Entry, Kind

Extra = tuple[Entry, bytes]
"""A file that AO adds to a part."""


def split(root: Path, config: AgentConfig) -> Mapping[Part, list[Entry]]:
    """The project's files by part, each sorted; a file that several parts name is the first one's."""
    chosen = ((Part.PROMPTS, config.prompts), (Part.TOOLS, config.tools), (Part.DATA, config.data))
    parts: dict[Part, list[Entry]] = {part: [] for part in (Part.CODE, Part.PROMPTS, Part.TOOLS, Part.DATA)}
    for entry in _files(root, ""):
        if entry.path == artifact.CONFIG_FILE:
            continue
        part = next((p for p, section in chosen if paths.matches(entry.path, section.paths)), Part.CODE)
        parts[part].append(entry)
    for entries in parts.values():
        entries.sort(key=lambda entry: entry.path.encode())
    return parts


def extras(config: AgentConfig) -> Mapping[Part, Extra]:
    found: dict[Part, Extra] = {}
    for part, name, content in (
        (Part.MODELS, artifact.MODELS_FILE, artifact.models_file(config)),
        (Part.TOOLS, artifact.TOOLS_FILE, artifact.tools_file(config)),
    ):
        if content is not None:
            found[part] = (Entry(name, size=len(content)), content)
    return found


def write(root: Path, entries: list[Entry], extra: Extra | None, directory: Path) -> tuple[Path, artifact.Blob]:
    """Write one layer to a new file in `directory`."""
    digest, size = hashlib.sha256(), 0
    descriptor, name = tempfile.mkstemp(dir=directory, prefix="layer-")
    with os.fdopen(descriptor, "wb") as out:
        for chunk in _stream(root, entries, extra):
            digest.update(chunk)
            size += out.write(chunk)
    return Path(name), artifact.Blob(Digest(f"sha256:{digest.hexdigest()}"), size)


def files(layer: bytes) -> dict[str, tuple[Entry, bytes]]:
    """The entries of a layer with their content, by path."""
    reader = archive.Reader(io.BytesIO(layer))
    return {entry.path: (entry, b"".join(reader.chunks())) for entry in reader}


def pack(files: Iterable[tuple[Entry, bytes]]) -> bytes:
    """The layer of these files, in their order: what `write` makes of the same files in a directory."""
    found = [archive.header(entry) + content + archive.padding(len(content)) for entry, content in files]
    return b"".join(found) + archive.ending()


def _stream(root: Path, entries: list[Entry], extra: Extra | None) -> Iterator[bytes]:
    if extra is not None:
        entry, content = extra
        yield archive.header(entry) + content + archive.padding(entry.size)
    yield from packing.stream(root, entries)


def _files(directory: Path, prefix: str) -> Iterator[Entry]:
    with os.scandir(directory) as found:
        for item in found:
            path = prefix + item.name
            if item.is_symlink():
                yield Entry(path, Kind.LINK, target=os.readlink(item.path))
            elif item.is_dir():
                yield from _files(Path(item.path), path + "/")
            else:
                status = item.stat()
                yield Entry(path, size=status.st_size, executable=bool(status.st_mode & 0o100))
