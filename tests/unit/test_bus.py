import asyncio

from ao.bus.local import LocalBus


async def test_a_hint_that_came_before_the_wait_is_not_lost_and_counts_once() -> None:
    bus = LocalBus()
    with bus.subscribe("topic") as hints:
        bus.publish("topic")
        bus.publish("topic")
        assert await hints.wait(0)
        assert not await hints.wait(0)


async def test_every_subscriber_is_told_and_other_topics_are_not() -> None:
    bus = LocalBus()
    with bus.subscribe("a") as first, bus.subscribe("a") as second, bus.subscribe("b") as other:
        waiting = asyncio.gather(first.wait(10), second.wait(10))
        await asyncio.sleep(0)
        bus.publish("a")
        assert all(await waiting)
        assert not await other.wait(0)


async def test_nothing_is_kept_for_topics_that_nobody_waits_for() -> None:
    bus = LocalBus()
    with bus.subscribe("gone"):
        pass
    bus.publish("gone")
    with bus.subscribe("gone") as hints:
        assert not await hints.wait(0)
    assert bus._topics == {}
