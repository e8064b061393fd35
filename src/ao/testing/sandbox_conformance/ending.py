"""Stops, deadlines, and that nothing survives."""

import asyncio
import os
import time

from ao.sandbox import Entrypoint, StopCause
from ao.testing.sandbox_conformance.rig import PATIENCE_SECONDS, Rig, finish, line

FOREVER = """
    import signal, threading
    def main():
        print("up")
        threading.Event().wait()
    """
DAEMON = """
    import os, time
    def main(wait):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                for fd in range(3): os.close(fd)
                while True: time.sleep(60)
            os._exit(0)
        os.wait()
        print("up")
        while wait: time.sleep(60)
    """


async def test_a_stop_is_reported_with_its_cause(rig: Rig) -> None:
    sandbox = await rig.executor.start(rig.spec(FOREVER))
    await line(sandbox)
    await sandbox.stop(StopCause.TIMEOUT)
    ran = await finish(sandbox)
    assert (ran.exit.signal, ran.exit.cause) == (9, StopCause.TIMEOUT)


async def test_the_first_stop_counts(rig: Rig) -> None:
    sandbox = await rig.executor.start(rig.spec(FOREVER))
    await sandbox.stop(StopCause.CANCELLED)
    await sandbox.stop(StopCause.TIMEOUT)
    assert (await finish(sandbox)).exit.cause is StopCause.CANCELLED


async def test_stopping_what_has_ended_does_nothing(rig: Rig) -> None:
    sandbox = await rig.executor.start(rig.spec("def main(): return 1"))
    ran = await finish(sandbox)
    await sandbox.stop(StopCause.CANCELLED)
    assert await sandbox.wait() == ran.exit
    assert ran.exit.cause is None


async def test_a_stop_with_grace_lets_the_agent_tidy_up(rig: Rig) -> None:
    source = """
        import signal, sys, time
        def tidy(number, frame):
            print("tidied")
            sys.exit(5)
        def main():
            signal.signal(signal.SIGTERM, tidy)
            print("up")
            while True: time.sleep(60)
        """
    sandbox = await rig.executor.start(rig.spec(source))
    await line(sandbox)
    await sandbox.stop(StopCause.SHUTDOWN, grace_seconds=PATIENCE_SECONDS)
    ran = await finish(sandbox)
    assert ran.stdout == b"tidied\n"
    assert (ran.exit.exit_code, ran.exit.cause) == (5, StopCause.SHUTDOWN)


async def test_grace_ends_for_those_who_ignore_it(rig: Rig) -> None:
    source = """
        import signal, time
        def main():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            print("up")
            while True: time.sleep(60)
        """
    sandbox = await rig.executor.start(rig.spec(source))
    await line(sandbox)
    await sandbox.stop(StopCause.CANCELLED, grace_seconds=0.1)
    assert (await finish(sandbox)).exit.signal == 9


async def test_what_wants_to_be_called_at_the_end_is_called(rig: Rig) -> None:
    source = """
        import atexit
        atexit.register(print, "of the import")
        def main(): atexit.register(print, "of the run")
        """
    ran = await finish(await rig.executor.start(rig.spec(source)))
    assert ran.stdout == b"of the run\nof the import\n"


async def test_what_a_run_wants_to_be_called_at_the_end_is_called(rig: Rig) -> None:
    source = """
        import atexit, logging
        def main():
            atexit.unregister(logging.shutdown)
            atexit.register(print, "of the run")
        """
    ran = await finish(await rig.executor.start(rig.spec(source)))
    assert ran.stdout == b"of the run\n"


async def test_lines_that_a_logging_handler_holds_are_written_at_the_end(rig: Rig) -> None:
    source = """
        import logging.handlers, sys
        def main():
            target = logging.StreamHandler(sys.stdout)
            logging.getLogger().addHandler(logging.handlers.MemoryHandler(100, logging.CRITICAL, target))
            logging.error("held")
        """
    ran = await finish(await rig.executor.start(rig.spec(source)))
    assert ran.stdout == b"held\n"


async def test_a_command_gets_the_signal_of_a_stop_with_grace(rig: Rig) -> None:
    script = "trap 'echo trapped; exit 6' TERM; echo up; while :; do sleep 0.01; done"
    entrypoint = Entrypoint("command", command=("sh", "-c", script))
    sandbox = await rig.executor.start(rig.spec({"x": ""}, entrypoint=entrypoint))
    await line(sandbox)
    await sandbox.stop(StopCause.CANCELLED, grace_seconds=PATIENCE_SECONDS)
    ran = await finish(sandbox)
    assert ran.stdout == b"trapped\n"
    assert ran.exit.exit_code == 6


async def test_a_daemon_does_not_outlive_its_agent(rig: Rig) -> None:
    """The fixture of `rig` looks for what is left."""
    ran = await rig.run(DAEMON, False)
    assert ran.exit.exit_code == 0


async def test_a_daemon_does_not_outlive_a_stop(rig: Rig) -> None:
    sandbox = await rig.executor.start(rig.spec(DAEMON, True))
    await line(sandbox)
    await sandbox.stop(StopCause.CANCELLED)
    assert (await finish(sandbox)).exit.signal == 9


async def test_an_agent_that_kills_all_it_can_ends_alone(rig: Rig) -> None:
    source = """
        import os, signal
        def main():
            if os.fork() == 0:
                signal.pause()
            print(os.getppid(), flush=True)
            for pid in (os.getppid(), 1):
                try: os.kill(pid, signal.SIGSTOP)
                except OSError: pass
            signal.pause()
        """
    sandbox = await rig.executor.start(rig.spec(source))
    await line(sandbox)
    await sandbox.stop(StopCause.CANCELLED)
    assert (await finish(sandbox)).exit.cause is StopCause.CANCELLED


async def test_a_cancelled_start_leaves_nothing(rig: Rig) -> None:
    cut_off = False
    while not cut_off:
        starting = asyncio.create_task(rig.executor.start(rig.spec(FOREVER)))
        await asyncio.sleep(0)
        starting.cancel()
        await asyncio.wait([starting])
        cut_off = starting.cancelled()
        if not cut_off:  # this process was held up until the runner had come up, so that nothing had to wait
            await starting.result().stop(StopCause.CANCELLED)
            await finish(starting.result())


async def test_the_lease_ends_sandboxes_and_a_renewal_keeps_them(rig: Rig) -> None:
    sandbox = await rig.executor.start(rig.spec(FOREVER))
    await rig.executor.renew(1.0)
    started = time.monotonic()
    await rig.executor.renew(1.5)
    ran = await finish(sandbox)
    assert (ran.exit.cause, ran.exit.signal) == (StopCause.LEASE, 9)
    assert time.monotonic() - started > 1.4
    assert "lease" in ran.exit.detail
    # A worker that holds its lease again may go on.
    await rig.executor.renew(3600)
    assert (await rig.run("def main(): return 1")).result == 1


async def test_many_sandboxes_at_once_are_kept_apart(rig: Rig) -> None:
    source = """
        import os
        def main(number):
            with open(os.path.expanduser("~/mine"), "x") as file: file.write(str(number))
            return number
        """
    async with asyncio.TaskGroup() as group:
        runs = [group.create_task(rig.run(source, number)) for number in range(8)]
    assert [run.result().result for run in runs] == list(range(8))


async def test_no_descriptors_leak_into_or_out_of_a_sandbox(rig: Rig) -> None:
    source = "import os\ndef main(): return sorted(int(name) for name in os.listdir('/proc/self/fd'))"
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        inside = (await rig.run(source)).result
        # stdin, stdout, stderr, the runner's socket, and the one that lists.
        assert inside == [0, 1, 2, 3, 4]
    await rig.executor.cool()
    assert len(os.listdir("/proc/self/fd")) == before
