"""The bus between processes: hints travel through the Pub/Sub channels of one Redis.

Redis holds nothing: a hint is published or lost. What may have been missed is made good by waking those
who listen, whenever a channel is subscribed to anew, and by their own polling while Redis is away.

One connection publishes, one is subscribed to the channels of all topics that this process listens to.
"""

import asyncio
import math
import random
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from secrets import token_hex
from typing import Any
from urllib.parse import urlsplit

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from ao.bus.local import LocalBus, LocalSubscription
from ao.domain.errors import Unavailable
from ao.logs import get_logger

log = get_logger(__name__)

DEFAULT_PORT = 6379
PREFIX = "ao:hint:"
EVERYTHING = "*"
"""Topic: look at everything, more happened than was worth telling."""
OUTBOX_TOPICS = 4096
"""More topics than these waiting to be told become one hint for everything."""
BATCH = 512
"""Topics in one round trip."""
SEND_SECONDS = 5.0
PING_SECONDS = 10.0
SILENCE_SECONDS = 25.0
"""A subscribed connection without an answer to its pings for so long is dead."""
BACKOFF_SECONDS = (0.1, 5.0)
LAST_SECONDS = 1.0
"""At the end, hints that are still waiting get this long to leave."""
CHECK_SECONDS = 1.5

_LOST = (RedisError, OSError)


class RedisBus:
    """Implements `ao.bus.Bus` for all processes that name the same Redis; use it from the loop's thread only.

    `run` has to be running for hints to leave and to come in; without it, and while Redis is away, the bus
    works inside its process. `url` is one that `ao.settings` accepts; it may hold a password and is never told.
    """

    def __init__(self, url: str) -> None:
        self.place = _place(url)
        """Where Redis is, without credentials."""
        self._local = LocalBus()
        self._me = token_hex(8).encode()
        """What we publish, so that we know our own hints when they come back."""
        # Protocol 2 is spoken by every server. Retries are ours, and so are timeouts: the library's time for
        # writing may swallow a cancellation.
        common: dict[str, Any] = {"protocol": 2, "retry": Retry(NoBackoff(), 0), "socket_timeout": None}
        self._client = Redis.from_url(url, client_name="ao", **common)
        self._subscribers = ConnectionPool.from_url(url, client_name="ao-hints", **common)
        self._outbox: dict[str, None] = {}
        self._outbox_filled = asyncio.Event()
        self._touched: set[str] = set()
        """Topics whose subscription may not be what it should be."""
        self._touch = asyncio.Event()
        self._subscribed = asyncio.Event()

    # --- the bus -----------------------------------------------------------------------------------

    def publish(self, topic: str) -> None:
        self._local.publish(topic)
        self._put(topic)

    @contextmanager
    def subscribe(self, *topics: str) -> Iterator[LocalSubscription]:
        """Once Redis knows of the subscription, it is woken: a hint may have gone by until then."""
        try:
            with self._local.subscribe(*topics) as subscription:
                self._look_at(topics)
                yield subscription
        finally:
            self._look_at(topics)

    def _look_at(self, topics: Iterable[str]) -> None:
        self._touched.update(topics)
        self._touch.set()

    # --- what carries it ---------------------------------------------------------------------------

    async def run(self) -> None:
        """Carry hints until cancelled. Redis may come and go meanwhile."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._publishing(), name="hints out")
                group.create_task(self._listening(), name="hints in")
        finally:
            await self._close()

    async def check(self) -> None:
        """Raises Unavailable when hints do not travel now."""
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                await self._client.ping()
                await self._subscribed.wait()
        except _LOST as error:
            raise Unavailable(
                f"{self.place}: {_told(error)}", hint="Is Redis up, and AO_REDIS_URL right?"
            ) from error

    async def _publishing(self) -> None:
        failures = 0
        while True:
            await self._outbox_filled.wait()
            self._outbox_filled.clear()
            batch, self._outbox = self._outbox, {}
            try:
                async with asyncio.timeout(SEND_SECONDS):
                    await self._send(batch)
                failures = 0
            except _LOST as error:
                if not failures:
                    log.warning("hints wait for redis", redis=self.place, error=_told(error))
                # Whoever listens may have been connected all the time: they are told later.
                for topic in batch:
                    self._put(topic)
                failures += 1
                await asyncio.sleep(_backoff(failures))

    def _put(self, topic: str) -> None:
        if EVERYTHING not in self._outbox:
            self._outbox[topic] = None
        if len(self._outbox) > OUTBOX_TOPICS:
            self._outbox = {EVERYTHING: None}
        self._outbox_filled.set()

    async def _send(self, topics: Iterable[str]) -> None:
        for some in _batches(topics):
            async with self._client.pipeline(transaction=False) as pipeline:
                for topic in some:
                    pipeline.publish(PREFIX + topic, self._me)
                await pipeline.execute()

    async def _listening(self) -> None:
        failures = 0
        while True:
            connection = self._subscribers.make_connection()  # type: ignore[no-untyped-call]
            try:
                async with asyncio.timeout(SEND_SECONDS):
                    await connection.connect()
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._receive(connection))
                    group.create_task(self._follow(connection))
                    group.create_task(_ping(connection))
            except* _LOST as lost:
                failures = 0 if self._subscribed.is_set() else failures
                if not failures:
                    log.warning("redis lost; others find out by polling", redis=self.place, error=_told(lost))
                failures += 1
            finally:
                self._subscribed.clear()
                await connection.disconnect(nowait=True)
            await asyncio.sleep(_backoff(failures))

    async def _follow(self, connection: AbstractConnection) -> None:
        """Keep the channels of the connection equal to what is listened to."""
        known: set[str] = set()
        self._touched.update(self._local.topics)
        await self._subscribe_touched(connection, known)
        await connection.send_command("SUBSCRIBE", PREFIX + EVERYTHING)  # last: its answer stands for all
        while True:
            await self._touch.wait()
            await self._subscribe_touched(connection, known)

    async def _subscribe_touched(self, connection: AbstractConnection, known: set[str]) -> None:
        self._touch.clear()
        touched, self._touched = self._touched, set()
        wanted = touched & self._local.topics
        for command, topics in (("SUBSCRIBE", wanted - known), ("UNSUBSCRIBE", (touched - wanted) & known)):
            for some in _batches(topics):
                await connection.send_command(command, *(PREFIX + topic for topic in some))
        known -= touched
        known |= wanted

    async def _receive(self, connection: AbstractConnection) -> None:
        while True:
            async with asyncio.timeout(SILENCE_SECONDS):
                answer: Sequence[bytes] = await connection.read_response(timeout=math.inf)
            kind, channel, *rest = answer
            topic = channel.decode().removeprefix(PREFIX)
            if kind == b"message" and rest != [self._me]:
                self._hear(topic)
            elif kind == b"subscribe":
                self._know_subscribed(topic)

    def _hear(self, topic: str) -> None:
        if topic == EVERYTHING:
            self._local.wake_all()
        else:
            self._local.publish(topic)

    def _know_subscribed(self, topic: str) -> None:
        """From now on every hint comes in; what was missed before has to be looked for."""
        if topic == EVERYTHING:
            log.info("hints travel through redis", redis=self.place)
            self._subscribed.set()
        else:
            self._local.publish(topic)

    async def _close(self) -> None:
        try:
            async with asyncio.timeout(LAST_SECONDS):
                await self._send(self._outbox)
        except _LOST as error:
            log.info("last hints not sent", redis=self.place, error=_told(error))
        await self._client.aclose()


async def _ping(connection: AbstractConnection) -> None:
    while True:
        await asyncio.sleep(PING_SECONDS)
        await connection.send_command("PING")


def _batches(topics: Iterable[str]) -> Iterator[Sequence[str]]:
    ordered = list(topics)
    for start in range(0, len(ordered), BATCH):
        yield ordered[start : start + BATCH]


def _backoff(failures: int) -> float:
    """Seconds, spread, so that processes do not return all at once."""
    first, most = BACKOFF_SECONDS
    return min(most, first * 2.0 ** min(failures - 1, 16)) * random.uniform(0.5, 1.0)  # noqa: S311


def _told(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error) or "no answer in time"


def _place(url: str) -> str:
    parts = urlsplit(url)
    return parts.path if parts.scheme == "unix" else f"{parts.hostname}:{parts.port or DEFAULT_PORT}"
