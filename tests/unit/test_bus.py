import asyncio

import pytest

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


@pytest.mark.parametrize("turns", range(6))
async def test_a_waiter_that_is_cancelled_while_a_hint_comes_is_cancelled(turns: int) -> None:
    bus = LocalBus()

    async def look_for_ever() -> None:
        with bus.subscribe("topic") as hints:
            while True:
                await hints.wait(60)

    task = asyncio.create_task(look_for_ever())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    bus.publish("topic")
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=5)
    task.cancel()
    assert done
