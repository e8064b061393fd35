"""The system calls that agents are refused: (x86_64, aarch64) numbers, and why."""

import errno
import socket

from .bpf import Assembler

_CLONE = (56, 220)
_CLONE3 = (435, 435)
_UNSHARE = (272, 97)
_SOCKET = (41, 198)
_IOCTL = (16, 29)

_NEW_NAMESPACE_FLAGS = 0x7E020000
_NEW_TIME_NAMESPACE = 0x80
"""In `clone` these bits are the exit signal, so only `unshare` checks them."""

_PUSH_INPUT_IOCTLS = [0x5412, 0x541C]
"""TIOCSTI and TIOCLINUX type into the terminal of somebody else."""

_REFUSED: dict[str, tuple[int | None, int | None]] = {
    # New mounts and namespaces: the sandbox is finished, and user namespaces open most kernel bugs.
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_tree_attr": (467, 467),
    # Files by handle pass by every path check.
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    # Keyrings are not separated by namespaces.
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    # Kernel surfaces that no agent needs.
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "fanotify_init": (300, 262),
    "kcmp": (312, 272),
    "lookup_dcookie": (212, 18),
    "uselib": (134, None),
    "vhangup": (153, 58),
    "iopl": (172, None),
    "ioperm": (173, None),
    # The machine.
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "syslog": (103, 116),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
}

_ABSENT = [425, 426, 427]
"""io_uring opens sockets and files past any filter; libraries fall back when it is absent."""

_NETLINK = 16
"""`getifaddrs` needs it; it shows the interfaces of the network namespace."""
_FAMILIES = [int(socket.AF_UNIX), _NETLINK, int(socket.AF_INET), int(socket.AF_INET6)]
_INTERNET_FAMILIES = [int(socket.AF_INET), int(socket.AF_INET6), _NETLINK]
_SOCKETPAIR = (53, 199)
_TRUNCATE = (76, 45)
_DATAGRAM_TYPES = [2, 2 | 0x800, 2 | 0x80000, 2 | 0x80800]
"""SOCK_DGRAM, with SOCK_NONBLOCK and SOCK_CLOEXEC."""


def filter_program(machine: str, *, internet: bool = True, unix: bool = True, truncate: bool = True) -> bytes:
    """The filter for `machine`; an architecture without a table is a KeyError.

    With a network namespace of its own a sandbox may open any usual socket. Without, `internet` says whether
    it may open those of the host; and `unix` must be False, because a socket in the file system is outside
    what Landlock checks (pairs still work, but no datagram pair, which can be connected anew). `truncate`
    must be False where Landlock does not check that call."""
    column = {"x86_64": 0, "aarch64": 1}[machine]
    code = Assembler(machine)
    for numbers in _REFUSED.values():
        number = numbers[column]
        if number is not None:
            code.refuse(number, errno.EPERM)
    for number in _ABSENT:
        code.refuse(number, errno.ENOSYS)
    # Its flags are in memory, out of a filter's sight; the C library falls back to clone.
    code.refuse(_CLONE3[column], errno.ENOSYS)
    code.refuse_bits(_CLONE[column], 0, _NEW_NAMESPACE_FLAGS, errno.EPERM)
    code.refuse_bits(_UNSHARE[column], 0, _NEW_NAMESPACE_FLAGS | _NEW_TIME_NAMESPACE, errno.EPERM)
    code.refuse_values(_IOCTL[column], 1, _PUSH_INPUT_IOCTLS, errno.EPERM)
    if not truncate:
        code.refuse(_TRUNCATE[column], errno.EPERM)
    if not internet:
        code.refuse_values(_SOCKET[column], 0, _INTERNET_FAMILIES, errno.ENETUNREACH)
    if not unix:
        code.refuse_values(_SOCKET[column], 0, [int(socket.AF_UNIX)], errno.EACCES)
        code.refuse_values(_SOCKETPAIR[column], 1, _DATAGRAM_TYPES, errno.EACCES)
    code.allow_only_values(_SOCKET[column], 0, _FAMILIES, errno.EAFNOSUPPORT)
    return code.build()
