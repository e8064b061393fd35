"""GPUs: who has which."""

import asyncio
from pathlib import Path

import pytest

from ao.domain.errors import InvalidConfig, SandboxError
from ao.sandbox import Entrypoint, SandboxSpec
from ao.sandbox.docker import container
from ao.sandbox.process import layout
from ao.sandbox.process.plan import gpu_files
from ao.worker.devices import Devices
from ao.worker.machine import gpu_numbers


def spec_with(*gpus: int) -> SandboxSpec:
    env = Path("/env")
    return SandboxSpec(
        "one", Path("/code"), env, env / "bin/python", Entrypoint("command"), "null", gpus=gpus, env={"A": "b"}
    )


async def test_no_two_runs_have_the_same() -> None:
    devices = Devices(range(4))
    first, second = await devices.take(1), await devices.take(2)
    assert (first, second) == ((0,), (1, 2))
    await devices.give_back(first)
    assert await devices.take(2) == (0, 3)


async def test_who_comes_while_another_run_ends_waits_for_its_devices() -> None:
    devices = Devices([5, 3])
    held = await devices.take(2)
    waiting = asyncio.create_task(devices.take(1))
    await asyncio.sleep(0)
    assert not waiting.done()
    await devices.give_back(held)
    assert await waiting == (3,)


async def test_more_than_there_are_is_refused() -> None:
    with pytest.raises(SandboxError, match="needs 3 GPUs, and this worker has 2"):
        await Devices(range(2)).take(3)


def test_two_workers_of_one_machine_have_their_own() -> None:
    assert list(gpu_numbers(None, 4, None)) == [0, 1, 2, 3]
    assert list(gpu_numbers(2, 4, None)) == [0, 1]
    assert list(gpu_numbers(None, 4, "2, 3")) == [2, 3]
    assert list(gpu_numbers(1, 4, "2,3")) == [2]
    assert list(gpu_numbers(None, 4, "")) == []
    with pytest.raises(InvalidConfig, match="AO_WORKER_GPUS is 3, and CUDA_VISIBLE_DEVICES names 2"):
        gpu_numbers(3, 4, "2,3")
    assert list(gpu_numbers(None, 4, "GPU-5f2c")) == []
    with pytest.raises(InvalidConfig, match="AO_WORKER_GPUS is 1, and CUDA_VISIBLE_DEVICES names 0"):
        gpu_numbers(1, 4, "GPU-5f2c")


def test_a_container_gets_its_devices_and_numbers_them_itself() -> None:
    spec = spec_with(2, 5)
    made = container.for_run(
        spec, "image", labels={}, command=[], mounts=[], network="bridge", cpus=4, security=[]
    )
    (request,) = made["HostConfig"]["DeviceRequests"]
    assert request == {"Driver": "nvidia", "DeviceIDs": ["2", "5"], "Capabilities": [["gpu"]]}
    told = container.first_start(spec, {}, "", None)["env"]
    assert isinstance(told, dict)
    assert (told["CUDA_VISIBLE_DEVICES"], told["A"]) == ("0,1", "b")
    plain = container.for_run(
        spec_with(), "image", labels={}, command=[], mounts=[], network="bridge", cpus=4, security=[]
    )
    assert "DeviceRequests" not in plain["HostConfig"]


def test_a_namespace_shows_no_devices_but_its_own() -> None:
    arguments = layout.mount_arguments(spec_with(3), runner=Path("/runner"), prefixes=[], system=[], etc=[])
    shown = [arguments[at + 1] for at, word in enumerate(arguments) if word == "--dev-bind-try"]
    assert (
        shown
        == gpu_files((3,))
        == ["/dev/nvidia3", "/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools"]
    )
    assert arguments.index("--remount-ro") > max(arguments.index(name) for name in shown)
    none = layout.mount_arguments(spec_with(), runner=Path("/runner"), prefixes=[], system=[], etc=[])
    assert "--dev-bind-try" not in none
