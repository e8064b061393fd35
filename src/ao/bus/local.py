"""The bus inside one process and one event loop."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class LocalSubscription:
    def __init__(self) -> None:
        self._event = asyncio.Event()

    def notify(self) -> None:
        self._event.set()

    async def wait(self, timeout_seconds: float | None) -> bool:
        if not self._event.is_set():
            try:
                await asyncio.wait_for(self._event.wait(), timeout_seconds)
            except TimeoutError:
                return False
        self._event.clear()
        return True


class LocalBus:
    """Implements `ao.bus.Bus`; use it from the event loop's thread only."""

    def __init__(self) -> None:
        self._topics: dict[str, set[LocalSubscription]] = {}

    def publish(self, topic: str) -> None:
        for subscription in self._topics.get(topic, ()):
            subscription.notify()

    @contextmanager
    def subscribe(self, topic: str) -> Iterator[LocalSubscription]:
        subscription = LocalSubscription()
        subscribers = self._topics.setdefault(topic, set())
        subscribers.add(subscription)
        try:
            yield subscription
        finally:
            subscribers.discard(subscription)
            if not subscribers:
                self._topics.pop(topic, None)
