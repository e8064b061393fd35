"""`ao proto`."""

from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from ao.cli import output
from ao.cli.session import Session
from ao.cli.values import naming_files


def proto(
    session: Session,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where to; protoc's `-I`.")],
) -> None:
    """Write the .proto files of the gRPC API."""
    place = directory / "ao" / "v1"
    files = [file for file in resources.files("ao.v1").iterdir() if file.name.endswith(".proto")]
    with naming_files("cannot be written"):
        place.mkdir(parents=True, exist_ok=True)
        for file in files:
            (place / file.name).write_bytes(file.read_bytes())
    written = sorted(str(place / file.name) for file in files)
    if session.json:
        output.as_json({"written": written})
        return
    for path in written:
        output.data(path)
    output.next_step("docs/grpc.md has a client for each call")
