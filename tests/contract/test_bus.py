"""The bus's contract in one process and through a real Redis, and what Redis alone brings: it may go away."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest

from ao.bus import Subscription
from ao.bus.local import LocalBus
from ao.bus.redis import EVERYTHING, OUTBOX_TOPICS, RedisBus
from ao.domain.errors import Unavailable
from ao.testing import bus_contract
from ao.testing.bus_contract import SECONDS, Buses
from ao.testing.redis import RedisServer


@asynccontextmanager
async def running(url: str) -> AsyncIterator[RedisBus]:
    bus = RedisBus(url)
    task = asyncio.create_task(bus.run())
    try:
        yield bus
    finally:
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled(), task.exception()


@asynccontextmanager
async def two(url: str) -> AsyncIterator[Buses]:
    async with running(url) as here, running(url) as there:
        yield Buses(here, there, confirms=True)


@pytest.fixture(params=["local", "redis"])
async def buses(request: pytest.FixtureRequest) -> AsyncIterator[Buses]:
    if request.param == "local":
        bus = LocalBus()
        yield Buses(bus, bus, confirms=False)
    else:
        async with two(request.getfixturevalue("redis_server").url) as pair:
            yield pair


class TestHints(bus_contract.Hints):
    pass


async def answered(bus: RedisBus, heard: Subscription) -> None:
    """Publishes until the other process answers. It may answer more often than it was asked."""
    while await heard.wait(0):
        pass
    async with asyncio.timeout(SECONDS):
        bus.publish("topic")
        while not await heard.wait(0.2):
            bus.publish("topic")


async def reachable(bus: RedisBus) -> None:
    async with asyncio.timeout(SECONDS):
        while True:
            try:
                return await bus.check()
            except Unavailable:
                await asyncio.sleep(0.02)


class TestRedisGoesAway:
    async def test_after_a_restart_every_subscription_is_woken_and_hints_travel_again(
        self, own_redis: RedisServer
    ) -> None:
        async with two(own_redis.url) as buses, buses.hearing(buses.there, "a", "b") as (a, b):
            own_redis.kill()
            buses.here.publish("a")
            assert not await b.wait(0)
            own_redis.start()
            assert await a.wait(SECONDS)
            assert await b.wait(SECONDS)
            buses.here.publish("b")
            assert await b.wait(SECONDS)

    async def test_a_hint_that_could_not_be_sent_is_sent_again(self, own_redis: RedisServer) -> None:
        """Its listeners kept their connection, so that nothing else wakes them."""
        async with two(own_redis.url) as buses, buses.hearing(buses.there, "topic") as (hints,):
            for _ in range(10):
                with own_redis.client() as client:
                    client.client_kill_filter(_type="normal", skipme=True)
                buses.here.publish("topic")
                assert await hints.wait(SECONDS)

    async def test_while_redis_is_away_the_process_hears_itself(self, own_redis: RedisServer) -> None:
        async with running(own_redis.url) as bus:
            await reachable(bus)
            own_redis.kill()
            with bus.subscribe("topic") as hints:
                for _ in range(100):
                    bus.publish("topic")
                    assert await hints.wait(0)

    async def test_a_bus_that_starts_before_redis_finds_it(self, own_redis: RedisServer) -> None:
        own_redis.kill()
        async with two(own_redis.url) as buses:
            with buses.there.subscribe("topic") as hints:
                buses.here.publish("topic")
                own_redis.start()
                assert await hints.wait(SECONDS)

    async def test_losing_it_is_told_once_and_without_the_password(
        self, capfd: pytest.CaptureFixture[str], redis_with: Callable[..., RedisServer]
    ) -> None:
        server = redis_with("--requirepass", "hunter2")
        url = f"unix://:hunter2@{server.socket}"
        async with running(url) as bus:
            await reachable(bus)
            server.kill()
            with pytest.raises(Unavailable) as caught:
                await bus.check()
            bus.publish("topic")
            server.start()
            await reachable(bus)
        told = capfd.readouterr().err + str(caught.value) + repr(bus) + bus.place
        assert str(server.socket) in str(caught.value)
        assert told.count("redis lost") == 1
        assert "hunter2" not in told

    async def test_a_wrong_password_is_told(self, redis_with: Callable[..., RedisServer]) -> None:
        server = redis_with("--requirepass", "hunter2")
        async with running(f"unix://:swordfish@{server.socket}") as bus:
            with pytest.raises(Unavailable, match="invalid username-password pair") as caught:
                await bus.check()
            assert "swordfish" not in str(caught.value)

    async def test_a_redis_that_hangs_blocks_no_publisher_and_is_told(self, own_redis: RedisServer) -> None:
        async with two(own_redis.url) as buses, buses.hearing(buses.there, "topic") as (hints,):
            assert isinstance(buses.here, RedisBus)
            await reachable(buses.here)
            own_redis.signal(signal.SIGSTOP)
            try:
                for _ in range(1000):
                    buses.here.publish("topic")
                with pytest.raises(Unavailable, match="no answer in time"):
                    await buses.here.check()
            finally:
                own_redis.signal(signal.SIGCONT)
            assert await hints.wait(SECONDS)

    async def test_flushall_loses_nothing(self, own_redis: RedisServer) -> None:
        async with two(own_redis.url) as buses, buses.hearing(buses.there, "a", "b") as (a, b):
            buses.here.publish("a")
            with own_redis.client() as client:
                client.flushall()
            buses.here.publish("b")
            assert await a.wait(SECONDS)
            assert await b.wait(SECONDS)

    async def test_a_cut_connection_wakes_its_process_and_is_made_again(self, own_redis: RedisServer) -> None:
        async with two(own_redis.url) as buses, buses.hearing(buses.there, "a", "b") as (a, b):
            with own_redis.client() as client:
                client.client_kill_filter(_type="pubsub")
            assert await a.wait(SECONDS)
            assert await b.wait(SECONDS)
            buses.here.publish("b")
            assert await b.wait(SECONDS)

    async def test_more_topics_than_the_outbox_holds_wake_everybody(self, own_redis: RedisServer) -> None:
        async with two(own_redis.url) as buses, buses.hearing(buses.there, "unrelated") as (hints,):
            for number in range(OUTBOX_TOPICS):
                buses.here.publish(f"run:{number}")
            buses.here.publish("one more")
            assert await hints.wait(SECONDS)

    async def test_no_channel_is_left_subscribed_for_nobody(self, own_redis: RedisServer) -> None:
        async with two(own_redis.url) as buses:
            async with buses.hearing(buses.there, "a"):
                pass
            async with buses.hearing(buses.there, "b"):
                with own_redis.client() as client:
                    channels = client.pubsub_channels()
        assert set(channels) == {b"ao:hint:b", b"ao:hint:" + EVERYTHING.encode()}

    async def test_nothing_is_stored_in_redis(self, own_redis: RedisServer) -> None:
        async with two(own_redis.url) as buses, buses.hearing(buses.there, "a") as (hints,):
            buses.here.publish("a")
            assert await hints.wait(SECONDS)
            with own_redis.client() as client:
                assert client.dbsize() == 0


LISTENER = """
import asyncio, sys
from ao.bus.redis import RedisBus

async def main():
    bus = RedisBus(sys.argv[1])
    carrying = asyncio.create_task(bus.run())
    with bus.subscribe("topic") as hints:
        while True:
            assert await hints.wait(60)
            bus.publish("heard")

asyncio.run(main())
"""


@contextmanager
def listening(url: str) -> Iterator[int]:
    """The pid of a process that publishes "heard" for each wake on "topic"."""
    with subprocess.Popen([sys.executable, "-c", LISTENER, url]) as process:
        try:
            yield process.pid
            assert process.poll() is None
        finally:
            process.kill()


class TestTwoProcesses:
    async def test_hints_travel_between_processes_also_after_redis_was_killed(
        self, own_redis: RedisServer
    ) -> None:
        with listening(own_redis.url):
            async with running(own_redis.url) as bus:
                with bus.subscribe("heard") as heard:
                    await answered(bus, heard)
                    own_redis.kill()
                    own_redis.start()
                    await answered(bus, heard)

    async def test_a_stopped_process_holds_up_nobody_and_looks_when_it_goes_on(
        self, redis_with: Callable[..., RedisServer]
    ) -> None:
        """Redis cuts off who reads too slowly; the new connection wakes them."""
        server = redis_with("--client-output-buffer-limit", "pubsub", "64kb", "32kb", "1")
        with listening(server.url) as pid:
            async with running(server.url) as bus:
                with bus.subscribe("heard") as heard, bus.subscribe("mine") as mine:
                    await answered(bus, heard)
                    os.kill(pid, signal.SIGSTOP)
                    for _ in range(2000):
                        bus.publish("topic")
                        bus.publish("mine")
                        assert await mine.wait(0)
                        await asyncio.sleep(0)
                    os.kill(pid, signal.SIGCONT)
                    await answered(bus, heard)


def test_the_client_library_is_imported_only_with_a_redis_to_speak_to() -> None:
    code = "import sys, ao.wiring; print([name for name in sys.modules if name.startswith('redis')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
