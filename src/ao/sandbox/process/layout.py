"""What a sandbox sees of the host: the arguments for bubblewrap.

The root is empty but for the system's programs, the Python installation, the environment, the release and
the runner, all read-only and at their own paths; the directories above them show nothing else.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ao.domain.errors import SandboxError
from ao.sandbox import SandboxSpec
from ao.sandbox.process.plan import gpu_files

WORK_DIR = "/home/agent"
RUNNER_DIR = "/run/ao"
HOST_NAME = "agent"
SYSTEM_DIRS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
ETC_FILES = (
    "debian_version",
    "ld.so.cache",
    "ld.so.conf",
    "localtime",
    "mime.types",
    "nsswitch.conf",
    "os-release",
    "pki/tls/cert.pem",
    "pki/tls/openssl.cnf",
    "protocols",
    "services",
    "ssl/cert.pem",
    "ssl/openssl.cnf",
    "timezone",
)
ETC_DIRS = ("alternatives", "crypto-policies", "fonts", "pki/ca-trust", "pki/tls/certs", "ssl/certs")
"""What programs need of /etc and what holds nothing of this machine's secrets: not `ssl/private`."""
ETC_WITH_NETWORK = ("resolv.conf", "hosts", "gai.conf", "host.conf")


@dataclass(frozen=True, slots=True)
class User:
    """Who the agent is. `host` is the uid on the host that it is dropped to; None = an own user namespace."""

    uid: int
    host: bool


def system_arguments() -> list[str]:
    """/usr and the top-level links or directories that belong to it."""
    arguments = ["--ro-bind", "/usr", "/usr"]
    for name in SYSTEM_DIRS:
        path = f"/{name}"
        if os.path.islink(path):
            arguments += ["--symlink", os.readlink(path), path]
        elif os.path.isdir(path):
            arguments += ["--ro-bind", path, path]
    return arguments


def etc_arguments(made: Path, *, network: bool) -> list[str]:
    """`made` (see `write_etc`) as /etc, and what of the host's is shown in it."""
    arguments = ["--ro-bind", str(made), "/etc"]
    for name in (*ETC_DIRS, *(ETC_WITH_NETWORK if network else ())):
        source = os.path.realpath(f"/etc/{name}")
        if (made / name).exists() and os.path.exists(source):
            arguments += ["--ro-bind", source, f"/etc/{name}"]
    return arguments


def write_etc(directory: Path, uid: int) -> None:
    """An /etc for the sandbox's own user: copies of harmless files (each mount would cost as much as a
    hundredth of a start), and places for the directories that are shown as they are."""
    files = {
        "passwd": f"root:x:0:0:root:/nonexistent:/bin/false\nagent:x:{uid}:{uid}:agent:{WORK_DIR}:/bin/sh\n",
        "group": f"root:x:0:\nagent:x:{uid}:\n",
        "hosts": f"127.0.0.1 localhost {HOST_NAME}\n::1 localhost\n",
        "resolv.conf": "",
        "gai.conf": "",
        "host.conf": "",
    }
    for name, text in files.items():
        _write(directory, name, text.encode())
    for name in ETC_FILES:
        if os.path.isfile(f"/etc/{name}"):
            _write(directory, name, Path("/etc", name).read_bytes())
    for name in ETC_DIRS:
        if os.path.isdir(f"/etc/{name}"):
            _make_dirs(directory, directory / name)


def _write(directory: Path, name: str, content: bytes) -> None:
    path = directory / name
    _make_dirs(directory, path.parent)
    path.write_bytes(content)
    path.chmod(0o644)


def _make_dirs(top: Path, path: Path) -> None:
    path.mkdir(parents=True, exist_ok=True)
    while path != top.parent:
        path.chmod(0o755)
        path = path.parent


def python_prefixes(env_dir: Path) -> list[Path]:
    """The Python installation behind a virtual environment, from its `pyvenv.cfg`: as named there, and with
    links resolved.

    An environment's files may come from a hostile wheel: what is named must look like an installation of
    Python, so that nobody gets another directory shown."""
    config = env_dir / "pyvenv.cfg"
    if _is_python(env_dir) and not config.exists():
        return [env_dir]
    try:
        lines = config.read_text().splitlines()
    except OSError as error:
        raise SandboxError(f"cannot read {config}: {error.strerror}") from error
    for line in lines:
        key, _, value = line.partition("=")
        if key.strip() == "home":
            named = Path(value.strip()).parent
            prefix = (Path(value.strip()) / "python3").resolve().parent.parent
            if not _is_python(prefix):
                raise SandboxError(f"{prefix}, named by {config}, is no Python installation")
            return [prefix, named] if named.resolve() == prefix and named != prefix else [prefix]
    raise SandboxError(f"{config} names no `home`", hint="Build the environment again.")


def _is_python(prefix: Path) -> bool:
    return any(prefix.glob("lib*/python3.*/os.py"))


def namespace_arguments(spec: SandboxSpec, user: User) -> list[str]:
    arguments = ["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--die-with-parent"]
    arguments += ["--hostname", HOST_NAME]
    if spec.network.policy != "full":
        arguments += ["--unshare-net"]
    if user.host:
        arguments += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--cap-add", "CAP_SETPCAP"]
    else:
        arguments += ["--unshare-user", "--uid", str(user.uid), "--gid", str(user.uid)]
    return arguments


def mount_arguments(
    spec: SandboxSpec, *, runner: Path, prefixes: Sequence[Path], system: Sequence[str], etc: Sequence[str]
) -> list[str]:
    """The whole tree. Private directories come first: a release may lie below the host's /tmp."""
    tmp, disk = str(spec.limits.tmp_bytes), str(spec.limits.disk_bytes)
    read = outermost([*prefixes, spec.env_dir, spec.code_dir, *spec.readable_dirs])
    arguments = ["--perms", "1777", "--size", tmp, "--tmpfs", "/tmp"]  # noqa: S108 - of the sandbox
    arguments += _parents([Path(WORK_DIR)])
    arguments += ["--perms", "0777", "--size", disk, "--tmpfs", WORK_DIR]
    arguments += _parents([Path(RUNNER_DIR) / "ao_runner", *read, *spec.writable_dirs])
    arguments += [*system, *etc, "--proc", "/proc", "--dev", "/dev"]
    for file in gpu_files(spec.gpus):
        arguments += ["--dev-bind-try", file, file]
    arguments += ["--perms", "1777", "--size", tmp, "--tmpfs", "/dev/shm", "--remount-ro", "/dev"]  # noqa: S108
    arguments += ["--ro-bind", str(runner), f"{RUNNER_DIR}/ao_runner"]
    for path in read:
        arguments += ["--ro-bind", str(path), str(path)]
    for path in spec.writable_dirs:
        arguments += ["--bind", str(path), str(path)]
    return [*arguments, "--remount-ro", "/", "--chdir", str(spec.code_dir)]


def private_directories(spec: SandboxSpec) -> list[tuple[str, str]]:
    """The directories that a run finds empty, with the options of their file systems."""
    tmp, disk = spec.limits.tmp_bytes, spec.limits.disk_bytes
    return [
        ("/tmp", f"mode=1777,size={tmp}"),  # noqa: S108 - of the sandbox
        (WORK_DIR, f"mode=0777,size={disk}"),
        ("/dev/shm", f"mode=1777,size={tmp}"),  # noqa: S108
    ]


def _parents(paths: Sequence[Path]) -> list[str]:
    """The directories above, outermost first. Bubblewrap would make them for its own user only."""
    found = {str(parent) for path in paths for parent in path.parents} - {"/", "/tmp"}  # noqa: S108
    return [word for directory in sorted(found) for word in ("--perms", "0755", "--dir", directory)]


def outermost(paths: Sequence[Path]) -> list[Path]:
    """Without those that `/usr` or another of them shows already."""
    shown = [Path("/usr")]
    result: list[Path] = []
    for path in sorted(set(paths), key=lambda each: len(each.parts)):
        if not any(path.is_relative_to(parent) for parent in shown):
            shown.append(path)
            result.append(path)
    return result
