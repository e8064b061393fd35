"""What Restate calls, in a server of its own: a handler for each task, with its work in one durable step."""

import asyncio

import restate

from benchmarks.peers.drivers.order import NOOP, SUBPROCESS, in_subprocess

NAME = "benchmark"
service = restate.Service(NAME)


async def noop_step(number: int) -> int:
    return 2 * number + 1


async def subprocess_step(number: int) -> int:
    return await asyncio.to_thread(in_subprocess, number)


@service.handler(NOOP)
async def noop(context: restate.Context, work: dict[str, int]) -> int:
    return await context.run_typed(NOOP, noop_step, number=work["number"])


@service.handler(SUBPROCESS)
async def own_process(context: restate.Context, work: dict[str, int]) -> int:
    return await context.run_typed(SUBPROCESS, subprocess_step, number=work["number"])


app = restate.app([service])
