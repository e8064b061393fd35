"""Landlock: what a process and all it starts may do with files, and whom it may signal.

Works from ABI 1 (Linux 5.13) on, with what each version gives. Landlock knows nothing of chmod, chown, stat
and of sockets in the file system; `calls.filter_program` closes what it can of these.
"""

import ctypes
import os
import stat
import struct

from . import kernel

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG = 1
_PATH_BENEATH = 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_TRUNCATE, _IOCTL_DEVICE = 1 << 14, 1 << 15
_KNOWN = {1: 0x1FFF, 2: 0x3FFF, 3: 0x7FFF, 4: 0x7FFF, 5: 0xFFFF}
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEVICE
_CONNECT_AND_BIND_TCP = 0b11
_SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS = 0b11
_READ = _EXECUTE | _READ_FILE | _READ_DIR

TCP_ABI, SCOPE_ABI, TRUNCATE_ABI = 4, 6, 3


def abi() -> int:
    """The kernel's version of Landlock; 0 when it has none or it is switched off."""
    version = kernel.libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION_FLAG)
    return max(0, int(version))


def restrict(read: "list[str]", write: "list[str]", devices: "list[str]", *, tcp: bool) -> None:
    """Confine this process: `read` and execute below these paths, everything below `write`, read and write
    `devices`. Paths that do not exist are left out. `tcp` allows connections. Sets no_new_privs."""
    version = abi()
    handled = _KNOWN[min(version, max(_KNOWN))]
    net = 0 if tcp or version < TCP_ABI else _CONNECT_AND_BIND_TCP
    scope = _SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS if version >= SCOPE_ABI else 0
    attributes = struct.pack("=QQQ", handled, net, scope)
    size = 24 if version >= SCOPE_ABI else 16 if version >= TCP_ABI else 8
    ruleset = kernel.check(
        kernel.libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(size), 0), "landlock ruleset"
    )
    for path in read:
        _allow(ruleset, path, _READ & handled)
    for path in devices:
        _allow(ruleset, path, (_READ_FILE | _WRITE_FILE | _TRUNCATE) & handled)
    for path in write:
        _allow(ruleset, path, handled)
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    kernel.check(kernel.libc.syscall(_RESTRICT_SELF, ruleset, 0), "landlock")
    os.close(ruleset)


def _allow(ruleset: int, path: str, access: int) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, PermissionError):
        return
    try:
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            access &= _OF_FILES
        rule = struct.pack("=Qi", access, fd)
        kernel.check(kernel.libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0), f"landlock {path}")
    finally:
        os.close(fd)
