"""Flows in a file of their own: Prefect loads them by its path in a new process for every run it serves."""

import asyncio
import subprocess
import sys

from prefect import flow, task

CHILD = "import sys; print(2 * int(sys.argv[1]) + 1)"


@task
def noop_task(number: int) -> int:
    return 2 * number + 1


@task
def child_task(number: int) -> int:
    done = subprocess.run([sys.executable, "-c", CHILD, str(number)], stdout=subprocess.PIPE, check=True)
    return int(done.stdout)


@task
async def async_noop_task(number: int) -> int:
    return 2 * number + 1


@task
async def async_child_task(number: int) -> int:
    command = [sys.executable, "-c", CHILD, str(number)]
    done = await asyncio.to_thread(subprocess.run, command, stdout=subprocess.PIPE, check=True)
    return int(done.stdout)


@flow(persist_result=True)
def noop(number: int) -> int:
    return noop_task(number)


@flow(persist_result=True)
def child(number: int) -> int:
    return child_task(number)


@flow(persist_result=True)
async def async_noop(number: int) -> int:
    return await async_noop_task(number)


@flow(persist_result=True)
async def async_child(number: int) -> int:
    return await async_child_task(number)
