"""AO as it is installed here, as a wheel: same files, same bytes."""

import base64
import hashlib
import io
import zipfile
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

import ao
import ao_runner

DISTRIBUTION = "ao-platform"
_MOMENT = (1980, 1, 1, 0, 0, 0)
"""Of every entry: the earliest that a zip can have."""


def version() -> str:
    return distribution(DISTRIBUTION).version


def file_name() -> str:
    return f"{DISTRIBUTION.replace('-', '_')}-{version()}-py3-none-any.whl"


def wheel() -> bytes:
    info = f"{DISTRIBUTION.replace('-', '_')}-{version()}.dist-info"
    files = {**dict(_packages()), **{f"{info}/{name}": content for name, content in _metadata()}}
    record = [f"{path},sha256={_digest(content)},{len(content)}\n" for path, content in files.items()]
    files[f"{info}/RECORD"] = "".join([*record, f"{info}/RECORD,,\n"]).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for path, content in files.items():
            entry = zipfile.ZipInfo(path, _MOMENT)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(entry, content)
    return out.getvalue()


def _packages() -> Iterator[tuple[str, bytes]]:
    for package in (ao, ao_runner):
        root = Path(package.__path__[0])
        for file in sorted(root.rglob("*")):
            if file.is_file() and file.suffix != ".pyc":
                yield f"{root.name}/{file.relative_to(root).as_posix()}", file.read_bytes()


def _metadata() -> Iterator[tuple[str, bytes]]:
    installed = distribution(DISTRIBUTION)
    for name in ("METADATA", "entry_points.txt"):
        text = installed.read_text(name)
        if text is not None:
            yield name, text.encode()
    yield "WHEEL", b"Wheel-Version: 1.0\nGenerator: ao\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
