"""Writes the Python modules of src/ao/v1/*.proto: part of `make generate`. A test fails when one is stale."""

from pathlib import Path

import grpc_tools
from grpc_tools import protoc

SRC = Path(__file__).resolve().parent.parent / "src"
PROTOS = sorted((SRC / "ao" / "v1").glob("*.proto"))
WELL_KNOWN = Path(grpc_tools.__file__).parent / "_proto"


def generate(into: Path) -> None:
    """Modules `ao/v1/*_pb2.py`, their stubs and `*_pb2_grpc.py` below a directory."""
    outputs = [f"--{kind}_out={into}" for kind in ("python", "pyi", "grpc_python")]
    paths = [f"-I{SRC}", f"-I{WELL_KNOWN}"]
    status = protoc.main(["protoc", *paths, *outputs, *(str(path.relative_to(SRC)) for path in PROTOS)])
    if status:
        raise SystemExit(status)
    for module in (into / "ao" / "v1").glob("*_pb2_grpc.py"):
        if "Stub" not in module.read_text(encoding="utf-8"):
            module.unlink()  # a file without services


if __name__ == "__main__":
    generate(SRC)
