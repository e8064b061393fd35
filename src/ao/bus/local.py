"""The bus inside one process and one event loop."""

import asyncio
from collections.abc import Iterator, Set
from contextlib import contextmanager


class LocalSubscription:
    def __init__(self) -> None:
        self._event = asyncio.Event()

    def notify(self) -> None:
        self._event.set()

    async def wait(self, timeout_seconds: float | None) -> bool:
        if not self._event.is_set():
            try:
                async with asyncio.timeout(timeout_seconds):
                    await self._event.wait()
            except TimeoutError:
                return False
        self._event.clear()
        return True


class LocalBus:
    """Implements `ao.bus.Bus`; use it from the event loop's thread only."""

    def __init__(self) -> None:
        self._topics: dict[str, set[LocalSubscription]] = {}

    @property
    def topics(self) -> Set[str]:
        """What somebody listens to now."""
        return self._topics.keys()

    def publish(self, topic: str) -> None:
        for subscription in self._topics.get(topic, ()):
            subscription.notify()

    def wake_all(self) -> None:
        """Wake every subscription: nobody knows what was missed."""
        for topic in self._topics:
            self.publish(topic)

    @contextmanager
    def subscribe(self, *topics: str) -> Iterator[LocalSubscription]:
        subscription = LocalSubscription()
        for topic in topics:
            self._topics.setdefault(topic, set()).add(subscription)
        try:
            yield subscription
        finally:
            for topic in topics:
                self._topics[topic].discard(subscription)
                if not self._topics[topic]:
                    del self._topics[topic]
