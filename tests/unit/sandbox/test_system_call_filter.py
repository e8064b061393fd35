"""The filter's decisions, by executing its program as the kernel would; for both architectures."""

import errno
import struct

import pytest

from ao.sandbox.process.supervisor.bpf import ARCHITECTURES
from ao.sandbox.process.supervisor.calls import filter_program

ALLOWED = 0
NUMBERS = {
    "x86_64": {
        "clone": 56,
        "unshare": 272,
        "socket": 41,
        "socketpair": 53,
        "ioctl": 16,
        "mount": 165,
        "read": 0,
    },
    "aarch64": {
        "clone": 220,
        "unshare": 97,
        "socket": 198,
        "socketpair": 199,
        "ioctl": 29,
        "mount": 40,
        "read": 63,
    },
}
THREAD_FLAGS = 0x3D0F00
NEW_USER = 0x10000000


def decide(program: bytes, data: bytes) -> int:
    """The errno that the program answers; 0 = allowed."""
    code = list(struct.iter_unpack("=HBBI", program))
    assert len(code) < 4096
    position, value = 0, 0
    while True:
        kind, if_true, if_false, operand = code[position]
        position += 1
        if kind == 0x20:
            (value,) = struct.unpack_from("=I", data, operand)
        elif kind == 0x06:
            return 0 if operand == 0x7FFF0000 else operand & 0xFFFF
        else:
            truth = {0x15: value == operand, 0x35: value >= operand, 0x45: bool(value & operand)}[kind]
            position += if_true if truth else if_false


@pytest.fixture(params=sorted(ARCHITECTURES))
def machine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def call(
    machine: str, name: "str | int", *arguments: int, architecture: int | None = None, **options: bool
) -> int:
    number = name if isinstance(name, int) else NUMBERS[machine][name]
    values = [*arguments, 0, 0, 0, 0, 0, 0][:6]
    data = struct.pack("=iIQ6Q", number, architecture or ARCHITECTURES[machine], 0, *values)
    return decide(filter_program(machine, **options), data)


def test_ordinary_calls_are_allowed(machine: str) -> None:
    assert call(machine, "read") == ALLOWED
    assert call(machine, "clone", THREAD_FLAGS) == ALLOWED
    assert call(machine, "clone", 17) == ALLOWED
    assert call(machine, "unshare", 0x400) == ALLOWED
    for family in (1, 2, 10, 16):
        assert call(machine, "socket", family) == ALLOWED


@pytest.mark.parametrize(
    "bit", [0x00020000, 0x02000000, 0x04000000, 0x08000000, NEW_USER, 0x20000000, 0x40000000]
)
def test_new_namespaces_are_refused(machine: str, bit: int) -> None:
    assert call(machine, "clone", bit | 17) == errno.EPERM
    assert call(machine, "unshare", bit) == errno.EPERM


def test_clone3_is_absent_because_its_flags_cannot_be_seen(machine: str) -> None:
    assert call(machine, 435) == errno.ENOSYS


def test_high_bits_of_an_ioctl_do_not_hide_it(machine: str) -> None:
    assert call(machine, "ioctl", 0, 0x5412) == errno.EPERM
    assert call(machine, "ioctl", 0, 0x5412 | 1 << 32) == errno.EPERM
    assert call(machine, "ioctl", 0, 0x5401) == ALLOWED


def test_other_architectures_are_refused_everything(machine: str) -> None:
    i386, arm = 0x40000003, 0x40000028
    for architecture in (i386, arm):
        assert call(machine, "read", architecture=architecture) == errno.ENOSYS


def test_x32_calls_are_refused() -> None:
    assert call("x86_64", 0x40000000 | 56) == errno.ENOSYS


def test_unusual_socket_families_are_refused(machine: str) -> None:
    for family in (17, 38, 40, 44):
        assert call(machine, "socket", family) == errno.EAFNOSUPPORT


def test_without_internet_its_families_look_unreachable(machine: str) -> None:
    for family in (2, 10, 16):
        assert call(machine, "socket", family, internet=False) == errno.ENETUNREACH
    assert call(machine, "socket", 1, internet=False) == ALLOWED


def test_without_unix_sockets_stream_pairs_still_work(machine: str) -> None:
    assert call(machine, "socket", 1, unix=False) == errno.EACCES
    assert call(machine, "socketpair", 1, 1 | 0x80000, unix=False) == ALLOWED
    for kind in (2, 2 | 0x800, 2 | 0x80000, 2 | 0x80800):
        assert call(machine, "socketpair", 1, kind, unix=False) == errno.EACCES


def test_mounts_are_refused(machine: str) -> None:
    assert call(machine, "mount") == errno.EPERM
