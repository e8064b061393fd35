"""pip that starts no program and unpacks no source: `python -I wheels_only.py [PIP_RUNNER] -- ARGUMENTS`.

A wheel may ask for an archive, a repository or a directory by its address, and pip would build that whatever
`--only-binary` says. pip builds in processes of its own: where it can start none, nothing of what it downloads
is executed. Only the host's `keyring`, which may know the passwords of an index, can be started.

A script for the interpreter that the wheels are for: standard library only, Python >= 3.9.
"""

import os
import runpy
import shutil
import sys
import tarfile
from typing import Any

STARTS = frozenset(
    (
        "subprocess.Popen",
        "os.system",
        "os.exec",
        "os.posix_spawn",
        "os.spawn",
        "os.fork",
        "os.forkpty",
        "pty.spawn",
    )
)
"""Audit events: every way of Python to start a program."""
ASKED = frozenset({"lsb_release", "rustc", "uname"})
"""What pip asks about the host, and does without."""
REFUSED = "would execute code to be installed"
KEYRING = shutil.which("keyring")


def refusal(what: str) -> Exception:
    """In pip's own words, so that it ends as it does for any package that it cannot install."""
    from pip._internal.exceptions import InstallationError  # noqa: PLC0415 - of the pip that is run

    return InstallationError(f"{what} {REFUSED}")


def hook(event: str, arguments: "tuple[Any, ...]") -> None:
    if event not in STARTS:
        return
    program = os.fsdecode(arguments[0]) if arguments and arguments[0] else event
    if KEYRING is not None and program == KEYRING:
        return
    if os.path.basename(program) in ASKED:
        raise PermissionError(f"{program} is not started")
    raise refusal("a source package")


def refuse_archive(name: Any = None, *_: Any, **__: Any) -> Any:
    raise refusal(os.path.basename(os.fspath(name)) if name else "an archive")


if __name__ == "__main__":
    split = sys.argv.index("--")
    runner = sys.argv[1:split]
    sys.argv = ["pip", *sys.argv[split + 1 :]]
    tarfile.open = refuse_archive
    sys.addaudithook(hook)
    if runner:
        runpy.run_path(runner[0], run_name="__main__")
    else:
        runpy.run_module("pip", run_name="__main__", alter_sys=True)
