"""A small assembler for seccomp filters: which system calls a sandbox is refused, and how.

Checks run in order and end in "allow". A 32-bit or x32 caller is refused everything, because the numbers
mean other calls there. Only the low half of an argument is compared, as the kernel does for these calls.
"""

import errno
import struct

_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000
_NUMBER, _ARCH, _ARGUMENTS = 0, 4, 16
_X32_BIT = 0x40000000
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


class Assembler:
    """Collects checks; `build` gives the program."""

    def __init__(self, machine: str) -> None:
        self._code: list[bytes] = []
        self._emit(_LOAD, _ARCH)
        self._emit(_JUMP_EQUAL, ARCHITECTURES[machine], 1, 0)
        self._refuse(errno.ENOSYS)
        self._emit(_LOAD, _NUMBER)
        if machine == "x86_64":
            self._emit(_JUMP_AT_LEAST, _X32_BIT, 0, 1)
            self._refuse(errno.ENOSYS)

    def refuse(self, call: int, error: int) -> None:
        self._emit(_JUMP_EQUAL, call, 0, 1)
        self._refuse(error)

    def refuse_bits(self, call: int, argument: int, bits: int, error: int) -> None:
        """Refuse `call` when its argument has any of these bits."""
        self._emit(_JUMP_EQUAL, call, 0, 4)
        self._emit(_LOAD, _ARGUMENTS + 8 * argument)
        self._emit(_JUMP_ANY_BIT, bits, 0, 1)
        self._refuse(error)
        self._emit(_LOAD, _NUMBER)

    def refuse_values(self, call: int, argument: int, values: list[int], error: int) -> None:
        """Refuse `call` when its argument is one of these values."""
        for value in values:
            self._emit(_JUMP_EQUAL, call, 0, 4)
            self._emit(_LOAD, _ARGUMENTS + 8 * argument)
            self._emit(_JUMP_EQUAL, value, 0, 1)
            self._refuse(error)
            self._emit(_LOAD, _NUMBER)

    def allow_only_values(self, call: int, argument: int, values: list[int], error: int) -> None:
        """Refuse `call` unless its argument is one of these values."""
        count = len(values)
        self._emit(_JUMP_EQUAL, call, 0, count + 3)
        self._emit(_LOAD, _ARGUMENTS + 8 * argument)
        for index, value in enumerate(values):
            self._emit(_JUMP_EQUAL, value, count - index, 0)
        self._refuse(error)
        self._emit(_LOAD, _NUMBER)

    def build(self) -> bytes:
        return b"".join([*self._code, _instruction(_RETURN, _ALLOW)])

    def _refuse(self, error: int) -> None:
        self._emit(_RETURN, _ERRNO | error)

    def _emit(self, code: int, value: int, if_true: int = 0, if_false: int = 0) -> None:
        self._code.append(_instruction(code, value, if_true, if_false))


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
