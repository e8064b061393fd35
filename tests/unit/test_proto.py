"""The `.proto` files and what is made of them."""

import re
from pathlib import Path

import generate_proto
import grpc
from tests.rpc import SERVICES

from ao.wire.problems import STATUS

V1 = generate_proto.SRC / "ao" / "v1"


def test_generated_modules_are_current(tmp_path: Path) -> None:
    generate_proto.generate(tmp_path)
    made = {path.name: path.read_text() for path in (tmp_path / "ao" / "v1").iterdir()}
    kept = {path.name: path.read_text() for path in V1.glob("*_pb2*") if path.suffix != ".pyc"}
    assert kept == made, "run `make generate`"


def test_every_method_is_documented() -> None:
    page = (generate_proto.SRC.parent / "docs" / "grpc.md").read_text()
    rows = re.findall(r"^\| `(ao\.v1\.\w+)` \| (.*) \|$", page, re.MULTILINE)
    documented = {service: re.findall(r"`(\w+)`", methods) for service, methods in rows}
    assert documented == {
        service.full_name: [method.name for method in service.methods] for service in SERVICES
    }


def test_every_class_of_error_has_a_status_of_grpc() -> None:
    assert {status.grpc for status in STATUS.values()} <= {code.name for code in grpc.StatusCode}
