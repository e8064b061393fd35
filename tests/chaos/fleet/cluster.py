"""Two servers and some workers on hosts of their own, with Postgres, Redis and a witness outside of AO."""

import base64
import random
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.fleet.network import Host, Network
from tests.chaos.fleet.processes import Process
from tests.chaos.fleet.proxy import Proxy
from tests.chaos.fleet.services import Postgres, Redis
from tests.chaos.fleet.witness import Witness

from ao import Client
from ao.domain.deployment import DeploymentStatus

AGENT = Path(__file__).parent / "toiler"
DISK = "128m"
"""Of one worker."""


@dataclass(frozen=True)
class Size:
    workers: int = 4
    slots: int = 4
    lease_seconds: float = 12.0
    heartbeat_seconds: float = 3.0


@dataclass
class Cluster:
    size: Size
    root: Path
    network: Network
    postgres: Postgres
    redis: Redis
    witness: Witness
    proxies: list[Proxy]
    """To Postgres and to Redis, from one server and half of the workers; the others are connected directly."""
    servers: list[Process]
    workers: list[Process]
    _deployed: int = 0

    def client(self, number: int) -> Client:
        """Speaks to one of the servers."""
        server = self.servers[number % len(self.servers)]
        key = (self.servers[0].home / "key").read_text()
        return Client(f"http://{server.host.address}:7433", key)

    def deploy(self) -> None:
        """The agent, each time with something else in it."""
        self._deployed += 1
        project = self.root / f"toiler-{self._deployed}"
        shutil.copytree(AGENT, project)
        (project / "revision.txt").write_text(f"{self._deployed}\n")
        with self.client(0) as client:
            assert client.deploy(project).wait().view.status is DeploymentStatus.SUCCEEDED

    @property
    def direct(self) -> list[Process]:
        """Workers without a proxy."""
        return self.workers[::2]

    @property
    def proxied(self) -> list[Process]:
        return self.workers[1::2]


@contextmanager
def running(size: Size, root: Path, rng: random.Random) -> Iterator[Cluster]:
    with ExitStack() as stack:
        network = Network(stack)
        postgres = Postgres(network.add("postgres"), root / "postgres")
        stack.callback(postgres.stop)
        redis = Redis(network.add("redis"), root / "redis")
        stack.callback(redis.stop)
        witness = Witness(network.here)
        stack.callback(witness.close)
        proxies = [
            _proxy(stack, network.here, target, random.Random(rng.random()))
            for target in ((postgres.host, 5432), (redis.host, 6379))
        ]
        shared = {
            "AO_BLOBS": str(root / "blobs"),
            "AO_SECRETS_KEY": base64.b64encode(rng.randbytes(32)).decode(),
            "AO_LEASE_SECONDS": f"{size.lease_seconds:g}",
            "AO_HEARTBEAT_SECONDS": f"{size.heartbeat_seconds:g}",
            "AO_LOG_LEVEL": "info",
        }
        direct = shared | {"AO_DATABASE_URL": postgres.url(), "AO_REDIS_URL": redis.url()}
        proxied = shared | {
            "AO_DATABASE_URL": postgres.url(network.here, proxies[0].port),
            "AO_REDIS_URL": redis.url(network.here, proxies[1].port),
        }
        servers = [
            Process("server", network.add(f"server-{number}"), root, proxied if number % 2 else direct)
            for number in range(2)
        ]
        workers = [
            Process(
                "worker",
                network.add(f"worker-{number}"),
                root,
                (proxied if number % 2 else direct) | {"AO_SLOTS": str(size.slots)},
            )
            for number in range(size.workers)
        ]
        _small_disk(stack, workers[0].home)
        servers[0].start()  # it makes the database
        stack.callback(servers[0].stop)
        for process in (servers[1], *workers):
            process.begin()
            stack.callback(process.stop)
        for process in (servers[1], *workers):
            process.await_ready()
        yield Cluster(size, root, network, postgres, redis, witness, proxies, servers, workers)


def _small_disk(stack: ExitStack, directory: Path) -> None:
    """What is written below `directory` has a small file system of its own."""
    directory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=700", "tmpfs", directory], check=True)
    stack.callback(lambda: subprocess.run(["umount", "--lazy", directory], check=True))


def _proxy(stack: ExitStack, address: str, target: tuple[Host, int], rng: random.Random) -> Proxy:
    host, port = target
    proxy = Proxy(address, (host.address, port), rng)
    stack.callback(proxy.close)
    return proxy
