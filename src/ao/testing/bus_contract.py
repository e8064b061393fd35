"""The contract of `ao.bus`, as tests that run against every implementation.

Give pytest a fixture `buses` that yields `Buses`, and subclass:

    class TestHints(bus_contract.Hints): ...
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass

from ao.bus import Bus, Subscription

SECONDS = 60.0
"""Far longer than any hint takes."""


@dataclass(frozen=True, slots=True)
class Buses:
    """Two ends of one bus. They are the same object when the bus does not leave its process."""

    here: Bus
    there: Bus
    confirms: bool
    """A new topic is woken once by itself, when the broker knows that it is listened to."""

    @asynccontextmanager
    async def hearing(self, bus: Bus, *topics: str) -> AsyncIterator[list[Subscription]]:
        """Subscriptions to topics that are new on `bus`; from now on they hear everything and nothing waits."""
        with ExitStack() as stack:
            subscriptions = [stack.enter_context(bus.subscribe(topic)) for topic in topics]
            if self.confirms:
                for subscription in subscriptions:
                    assert await subscription.wait(SECONDS)
            yield subscriptions


class Hints:
    async def test_a_hint_that_came_before_the_wait_is_not_lost_and_many_count_once(self, buses: Buses) -> None:
        async with buses.hearing(buses.there, "topic", "last") as (hints, last):
            for _ in range(1000):
                buses.here.publish("topic")
            buses.here.publish("last")
            assert await last.wait(SECONDS)
            assert await hints.wait(0)
            assert not await hints.wait(0)

    async def test_the_process_that_publishes_is_told_at_once_and_not_again(self, buses: Buses) -> None:
        async with buses.hearing(buses.here, "topic", "last") as (hints, last):
            buses.here.publish("topic")
            assert await hints.wait(0)
            buses.there.publish("last")
            assert await last.wait(SECONDS)
            assert not await hints.wait(0)

    async def test_every_subscriber_is_told_and_other_topics_are_not(self, buses: Buses) -> None:
        async with buses.hearing(buses.there, "a", "b", "last") as (first, other, last):
            with buses.there.subscribe("a") as second:
                waiting = asyncio.gather(first.wait(SECONDS), second.wait(SECONDS))
                await asyncio.sleep(0)
                buses.here.publish("a")
                assert all(await waiting)
            buses.here.publish("last")
            assert await last.wait(SECONDS)
            assert not await other.wait(0)

    async def test_hints_go_both_ways(self, buses: Buses) -> None:
        asking, answering = buses.hearing(buses.there, "question"), buses.hearing(buses.here, "answer")
        async with asking as (questions,), answering as (answers,):
            for _ in range(20):
                buses.here.publish("question")
                assert await questions.wait(SECONDS)
                buses.there.publish("answer")
                assert await answers.wait(SECONDS)

    async def test_a_wait_ends_without_a_hint_after_its_time(self, buses: Buses) -> None:
        async with buses.hearing(buses.here, "quiet") as (hints,):
            assert not await hints.wait(0.01)

    async def test_a_topic_is_heard_while_one_of_its_subscribers_is_left(self, buses: Buses) -> None:
        async with buses.hearing(buses.there, "topic") as (left,):
            with buses.there.subscribe("topic"):
                pass
            for _ in range(3):
                buses.here.publish("topic")
                assert await left.wait(SECONDS)

    async def test_many_topics_are_heard_each_by_its_own(self, buses: Buses) -> None:
        topics = [f"run:{number}" for number in range(2000)]
        async with buses.hearing(buses.there, *topics, "last") as (*hints, last):
            for topic in topics[::2]:
                buses.here.publish(topic)
            buses.here.publish("last")
            assert await last.wait(SECONDS)
            assert [await hint.wait(0) for hint in hints] == [True, False] * 1000

    async def test_a_slow_consumer_holds_up_nobody_and_finds_one_hint(self, buses: Buses) -> None:
        async with buses.hearing(buses.there, "slow", "quick") as (slow, quick):
            for _ in range(200):
                buses.here.publish("slow")
                buses.here.publish("quick")
                assert await quick.wait(SECONDS)
            assert await slow.wait(0)
            assert not await slow.wait(0)

    async def test_subscribing_again_and_again_loses_no_hint(self, buses: Buses) -> None:
        for _ in range(200):
            with buses.there.subscribe("topic") as hints:
                buses.here.publish("topic")
                assert await hints.wait(SECONDS)
