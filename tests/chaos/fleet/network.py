"""Hosts of a fleet on one machine: network namespaces on a bridge, between which packets can be lost.

A cut drops packets without a word, as a broken switch does: both sides are given a wrong hardware address for
each other, so that nothing answers, nothing is refused and every connection goes on as if it were only slow.
"""

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

NEEDED = ("ip", "nsenter", "unshare")
NOBODY = "02:00:00:00:00:01"
"""A hardware address that no host has."""
_BE_NAMED = 'echo "$0" > /proc/sys/kernel/hostname && exec "$@"'
_PR_SET_PDEATHSIG = 1
_SIGKILL = 9


def why_not() -> str:
    """Why this machine cannot have such hosts; empty when it can."""
    if os.geteuid() != 0:
        return "network namespaces of a fleet need root"
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing:
        return f"no {', '.join(missing)}: install iproute2 and util-linux"
    tried = f"ao-{os.getpid()}-try"
    done = subprocess.run(["ip", "netns", "add", tried], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return f"no network namespaces here: {done.stderr.strip()}"
    _ip("netns", "delete", tried)
    return ""


@dataclass(frozen=True, slots=True)
class Host:
    name: str
    namespace: str
    address: str

    def inside(self, *command: str) -> list[str]:
        """The command, executed on this host; its process is the one that is started."""
        named = ("unshare", "--uts", "--", "sh", "-c", _BE_NAMED, self.name)
        return ["nsenter", f"--net=/run/netns/{self.namespace}", "--", *named, *command]

    def ip(self, *arguments: str) -> None:
        _ip("-n", self.namespace, *arguments)


class Network:
    """One bridge; the test itself is a host on it, too (`here`)."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._prefix = f"ao-{os.getpid()}"
        number = os.getpid() % (1 << 14)
        self._subnet = f"10.{192 + (number >> 8)}.{number & 255}"
        self._hosts = 1
        self._switch = self._namespace("switch")
        self.here = f"{self._subnet}.1"
        _ip("-n", self._switch, "link", "add", "bridge", "type", "bridge")
        _ip("-n", self._switch, "link", "set", "bridge", "up")
        interface = f"ao{os.getpid()}"
        _ip("link", "add", interface, "type", "veth", "peer", "name", "here", "netns", self._switch)
        stack.callback(_ip, "link", "delete", interface)
        self._plug("here")
        _ip("address", "add", f"{self.here}/24", "dev", interface)
        _ip("link", "set", interface, "up")

    def add(self, name: str) -> Host:
        self._hosts += 1
        host = Host(name, self._namespace(name), f"{self._subnet}.{self._hosts}")
        host.ip("link", "set", "lo", "up")
        host.ip("link", "add", "eth0", "type", "veth", "peer", "name", name, "netns", self._switch)
        self._plug(name)
        host.ip("address", "add", f"{host.address}/24", "dev", "eth0")
        host.ip("link", "set", "eth0", "up")
        return host

    @contextmanager
    def cut(self, one: Host, others: Sequence[Host]) -> Iterator[None]:
        """Inside, every packet between `one` and `others` is lost, in both directions."""
        pairs = [pair for other in others for pair in ((one, other), (other, one))]
        for near, far in pairs:
            near.ip("neigh", "replace", far.address, "lladdr", NOBODY, "nud", "permanent", "dev", "eth0")
        try:
            yield
        finally:
            for near, far in pairs:
                near.ip("neigh", "delete", far.address, "dev", "eth0")

    def _namespace(self, name: str) -> str:
        namespace = f"{self._prefix}-{name}"
        _ip("netns", "add", namespace)
        self._stack.callback(_ip, "netns", "delete", namespace)
        return namespace

    def _plug(self, port: str) -> None:
        _ip("-n", self._switch, "link", "set", port, "master", "bridge", "up")


def die_with_parent() -> None:
    """For `preexec_fn`: no process outlives the test that started it."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, _SIGKILL)


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OSError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
