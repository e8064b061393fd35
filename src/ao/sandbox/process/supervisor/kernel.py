"""System calls that the standard library of Python 3.11 does not offer."""

import ctypes
import fcntl
import os
import struct

PR_SET_PDEATHSIG = 1
PR_SET_SECCOMP = 22
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
SECCOMP_MODE_FILTER = 2
_CAPABILITY_VERSION_3 = 0x20080522

libc = ctypes.CDLL(None, use_errno=True)


def check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def prctl(option: int, value: int) -> None:
    zero = ctypes.c_ulong(0)
    check(libc.prctl(option, ctypes.c_ulong(value), zero, zero, zero), f"prctl {option}")


def become_subreaper() -> None:
    """Orphans of the descendants become children of this process, not of the machine's init."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def load_filter(program: bytes) -> None:
    """Load a BPF program for this process and all it starts. Sets no_new_privs."""
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    argument = _Program(len(program) // 8, program)
    zero = ctypes.c_ulong(0)
    mode = ctypes.c_ulong(SECCOMP_MODE_FILTER)
    check(libc.prctl(PR_SET_SECCOMP, mode, ctypes.byref(argument), zero, zero), "seccomp filter")


def drop_capabilities() -> None:
    """Give up all capabilities; no_new_privs must follow, so that no program brings them back."""
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    check(libc.capset(header, bytes(24)), "capset")


CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x02000000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND = 1, 2, 4, 8, 32, 4096
_MNT_DETACH, _UMOUNT_NOFOLLOW = 2, 8
_OPEN_TREE, _MOVE_MOUNT = 428, 429
_OPEN_TREE_CLONE, _AT_RECURSIVE, _MOVE_MOUNT_F_EMPTY_PATH = 1, 0x8000, 4
_AT_FDCWD = -100
_PR_CAPBSET_DROP = 24
_NS_GET_USERNS = 0xB701


def setns(fd: int, kind: int = 0) -> None:
    """Enter a namespace; of process ids, have children born there."""
    check(libc.setns(fd, kind), "setns")


def unshare(flags: int) -> None:
    check(libc.unshare(flags), "unshare")


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    words = (source.encode(), target.encode(), kind.encode())
    check(libc.mount(*words, ctypes.c_ulong(flags), options.encode()), f"mount {target}")


def unmount(target: str) -> None:
    """Take a mount, and those on it, out of sight; it goes when nobody uses it any more."""
    check(libc.umount2(target.encode(), _MNT_DETACH | _UMOUNT_NOFOLLOW), f"unmount {target}")


def clone_mount(path: str) -> int:
    """A copy of what is mounted at `path`, and on it, mounted nowhere yet."""
    flags = _OPEN_TREE_CLONE | _AT_RECURSIVE | os.O_CLOEXEC
    return check(libc.syscall(_OPEN_TREE, _AT_FDCWD, path.encode(), flags), f"copy of mount {path}")


def attach_mount(fd: int, path: str) -> None:
    number = libc.syscall(_MOVE_MOUNT, fd, b"", _AT_FDCWD, path.encode(), _MOVE_MOUNT_F_EMPTY_PATH)
    check(number, f"mount {path}")


def drop_bounding_set() -> None:
    """No program that is executed from here on can have a capability. Needs CAP_SETPCAP."""
    capability = 0
    while libc.prctl(_PR_CAPBSET_DROP, ctypes.c_ulong(capability)) == 0:
        capability += 1


def owner_of(namespace_fd: int) -> int:
    """A descriptor of the user namespace that owns this one."""
    return fcntl.ioctl(namespace_fd, _NS_GET_USERNS)
