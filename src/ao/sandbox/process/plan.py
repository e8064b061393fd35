"""What every isolation level must know how to say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ao.domain.errors import SandboxError
from ao.sandbox import Level, SandboxSpec
from ao.sandbox.process.supervisor.control import Message
from ao_runner import protocol

_CPU_NOT_LIMITED = "the limit of CPU cores is not enforced"
_IMAGE_NOT_USED = "{} is not used: sandboxes of this worker are processes (AO_SANDBOX=docker takes it)"
INPUT_FILE, OUTPUT_FILE = "ao-input.json", "ao-output.json"


@dataclass(frozen=True, slots=True)
class Paths:
    """The private directories as the agent sees them."""

    work: str
    tmp: str


class Plan(Protocol):
    """One isolation level on this host."""

    @property
    def level(self) -> Level: ...

    @property
    def degraded(self) -> Sequence[str]: ...

    def paths(self, spec: SandboxSpec) -> Paths: ...

    def degraded_for(self, spec: SandboxSpec) -> Sequence[str]:
        """What more is missing for this sandbox."""
        ...

    def prepare(self, spec: SandboxSpec, uid: int) -> None:
        """Make what must exist on the host before the launch."""
        ...

    def clean(self, spec: SandboxSpec) -> None:
        """Remove it again, when every process is gone."""
        ...

    def launch(self, spec: SandboxSpec, uid: int) -> Message:
        """What the supervisor is told to start (`supervisor.control`). Raises `SandboxError`."""
        ...

    def limits(self, spec: SandboxSpec) -> Message: ...

    def slot(self, spec: SandboxSpec, uid: int) -> "Message | None":
        """A request for a sandbox with a template for runs like this one; None: this level has none."""
        ...


def not_done(spec: SandboxSpec) -> list[str]:
    """What no level does for this sandbox."""
    lines = [_CPU_NOT_LIMITED] if spec.limits.cpu is not None else []
    if spec.image is not None:
        lines.append(_IMAGE_NOT_USED.format(f"the image {spec.image}"))
    if spec.dockerfile is not None:
        lines.append(_IMAGE_NOT_USED.format(f"the image of {spec.dockerfile}"))
    return lines


def environment(spec: SandboxSpec, paths: Paths, path: str = "") -> dict[str, str]:
    """All variables of the agent; its own win over the defaults, never over where its directories are. `path`:
    the default of PATH where programs are elsewhere than on this host."""
    defaults = {
        "PATH": path or f"{spec.env_dir}/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        "VIRTUAL_ENV": str(spec.env_dir),
        "LANG": "C.UTF-8",
        "USER": "agent",
        "LOGNAME": "agent",
        "SHELL": "/bin/sh",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    fixed = {"HOME": paths.work, "AO_WORK_DIR": paths.work, "TMPDIR": paths.tmp}
    return {**defaults, **checked({**spec.env, **spec.run_env}), **gpu_variables(spec.gpus), **fixed}


def gpu_variables(gpus: Sequence[int]) -> dict[str, str]:
    """By which CUDA, and what is built on it, sees these GPUs and no others; none for none."""
    numbers = ",".join(map(str, gpus))
    return {"CUDA_VISIBLE_DEVICES": numbers, "NVIDIA_VISIBLE_DEVICES": numbers} if gpus else {}


def gpu_files(gpus: Sequence[int]) -> list[str]:
    """Device files of NVIDIA's driver that a run with these GPUs needs; they need not exist."""
    own = [f"/dev/nvidia{number}" for number in gpus]
    return [*own, "/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools"] if gpus else []


def checked(variables: Mapping[str, str]) -> dict[str, str]:
    """What of these can be passed on. Raises `SandboxError`."""
    return {name: _checked(name, value) for name, value in variables.items()}


def _checked(name: str, value: str) -> str:
    """A value that can be passed on: characters that no text can hold are replaced. A NUL is refused; what
    follows it would be read as further arguments of bubblewrap."""
    if not name or "=" in name or "\0" in name or "\0" in value:
        raise SandboxError(
            f"the environment variable {name!r} cannot be passed on",
            hint="A name has no `=`, and neither name nor value may hold a NUL character.",
        )
    return value.encode("utf-8", "replace").decode()


def first_words(spec: SandboxSpec, paths: Paths, *, egress: bool, version: int = protocol.VERSION) -> Message:
    """The runner's task (`start` of `ao_runner.protocol`, in that version)."""
    return {
        "type": "start",
        "protocol": version,
        "entrypoint": {
            "kind": spec.entrypoint.kind,
            "target": spec.entrypoint.target,
            "command": list(spec.entrypoint.command),
        },
        "input": spec.input_json,
        "input_file": f"{paths.tmp}/{INPUT_FILE}",
        "output_file": f"{paths.tmp}/{OUTPUT_FILE}",
        "network": spec.network.policy,
        "egress": egress,
        "code_dir": str(spec.code_dir),
        **({"retries": dict(spec.retries)} if spec.retries is not None else {}),
        **({"session": dict(spec.session)} if spec.session is not None else {}),
        **({"steps": dict(spec.steps)} if version >= protocol.WITH_STEPS and spec.steps is not None else {}),
    }
