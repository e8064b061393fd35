"""How servers under test are started: as a user that they accept, and not for longer than who started them."""

import ctypes
import os
import pwd
import shutil
import signal
from pathlib import Path
from typing import TypedDict

_PR_SET_PDEATHSIG = 1


class Identity(TypedDict, total=False):
    """Arguments of `subprocess`."""

    user: str
    group: int
    extra_groups: list[str | int]


def other_user(root: Path) -> str | None:
    """Whom to run as when this process is root; `root` then belongs to that user."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = "postgres" if "postgres" in names else "nobody"
    shutil.chown(root, user)
    return user


def identity(user: str | None) -> Identity:
    if user is None:
        return {}
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


def die_with_parent() -> None:
    """For `preexec_fn`."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
