"""What a container may: the body of the request that makes one."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ao.sandbox import Message, SandboxSpec
from ao.sandbox.docker.engine import Json
from ao.sandbox.process.layout import HOST_NAME, WORK_DIR
from ao.sandbox.process.plan import Paths, environment

UID = 10001
INSIDE = "/run/ao"
"""Where the runner and the first process's code are shown."""
DOOR = "/run/ao-door"
PATHS = Paths(work=WORK_DIR, tmp="/tmp")  # noqa: S108 - of the container
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_OWN_PROCESSES = 1
_OWN_BYTES = 48 << 20
"""The first process, and what the kernel keeps for a container."""
_MEBIBYTE = 1 << 20


def hardened(image: str, command: Sequence[str], labels: Mapping[str, str]) -> Json:
    """A container that may nothing: no user of the host, no capability, no network, nothing to write to."""
    return {
        "Image": image,
        "Entrypoint": list(command),
        "Cmd": [],
        "User": f"{UID}:{UID}",
        "WorkingDir": "/",
        "Hostname": HOST_NAME,
        "Labels": dict(labels),
        "StopSignal": "SIGKILL",
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": {
            "AutoRemove": True,
            "ReadonlyRootfs": True,
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "NetworkMode": "none",
            "IpcMode": "private",
            "Memory": 256 * _MEBIBYTE,
            "MemorySwap": 256 * _MEBIBYTE,
            "PidsLimit": 64,
            "Ulimits": [{"Name": "core", "Soft": 0, "Hard": 0}],
            "LogConfig": {"Type": "none"},
            "RestartPolicy": {"Name": "no"},
            # A file system for names of message queues, that anybody may write to; queues work without it.
            "Tmpfs": {"/dev/mqueue": "ro,size=4k,mode=0555"},
        },
    }


def for_run(
    spec: SandboxSpec,
    image: str,
    *,
    labels: Mapping[str, str],
    command: Sequence[str],
    mounts: Sequence[Json],
    network: str,
    cpus: int,
    security: Sequence[str],
) -> Json:
    """`network` is the engine's for the policy `full`, `cpus` are the host's, `security` has more options."""
    body = hardened(image, command, labels)
    limits = spec.limits
    # Files of the private directories are memory of the container, too, and have limits of their own.
    memory = limits.memory_bytes + limits.disk_bytes + 2 * limits.tmp_bytes + _OWN_BYTES
    body["HostConfig"] |= {
        "NetworkMode": network if spec.network.policy == "full" else "none",
        "Memory": memory,
        "MemorySwap": memory,
        "PidsLimit": limits.processes + _OWN_PROCESSES,
        "ShmSize": limits.tmp_bytes,
        "Mounts": list(mounts),
        "Tmpfs": body["HostConfig"]["Tmpfs"] | _private(spec),
        "SecurityOpt": [*body["HostConfig"]["SecurityOpt"], *security],
    }
    if spec.gpus:
        body["HostConfig"]["DeviceRequests"] = [
            {"Driver": "nvidia", "DeviceIDs": [str(number) for number in spec.gpus], "Capabilities": [["gpu"]]}
        ]
    if limits.cpu is not None:
        body["HostConfig"]["NanoCpus"] = int(min(limits.cpu, cpus) * 1e9)
    return body


def mount(source: Path, target: Path | str | None = None, *, write: bool = False) -> Json:
    return {
        "Type": "bind",
        "Source": str(source),
        "Target": str(target or source),
        "ReadOnly": not write,
        "BindOptions": {"Propagation": "rprivate"},
    }


def _private(spec: SandboxSpec) -> dict[str, str]:
    """The directories that a run finds empty. One that the image has, too, keeps the mode that it has there."""
    options = f"rw,exec,nosuid,nodev,uid={UID},gid={UID}"
    return {
        "/tmp": f"{options},mode=1777,size={spec.limits.tmp_bytes}",  # noqa: S108 - of the container
        WORK_DIR: f"{options},mode=0777,size={spec.limits.disk_bytes}",
    }


def above(mounts: Sequence[Json], directory: Path) -> list[Json]:
    """Images close /root to others: what is mounted below it lies in a directory that stands for it.
    Places for the mounts are made in `directory`."""
    closed = Path("/root")
    below = [each for each in mounts if Path(each["Target"]).is_relative_to(closed)]
    for each in below:
        place = directory / Path(each["Target"]).relative_to(closed)
        if Path(each["Source"]).is_dir():
            place.mkdir(parents=True, exist_ok=True)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.touch()
    for name, _, _ in os.walk(directory):
        os.chmod(name, 0o755)  # noqa: S103 - whatever the umask is
    return [mount(directory, closed)] if below else []


def first_start(
    spec: SandboxSpec, variables: Mapping[str, str], filter: str, deadline: float | None
) -> Message:
    """What the container's first process is told. `variables` are the image's: the agent's go before them, and
    programs of its environment before those of the image."""
    limits = spec.limits
    path = f"{spec.env_dir}/bin:{variables.get('PATH', _PATH)}"
    inside = replace(spec, gpus=range(len(spec.gpus)))  # a container numbers those that it has
    return {
        "argv": [str(spec.python), "-S", f"{INSIDE}/ao_runner/__main__.py"],
        "env": {**variables, **environment(inside, PATHS, path)},
        "cwd": str(spec.code_dir),
        "filter": filter,
        "limits": {
            "memory": limits.memory_bytes,
            "files": limits.open_files,
            "file_bytes": max(limits.disk_bytes, limits.tmp_bytes),
        },
        "deadline": deadline,
    }
