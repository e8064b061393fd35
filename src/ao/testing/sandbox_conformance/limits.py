"""Limits of the whole tree: memory, processes, disk, open files."""

import dataclasses

import pytest

from ao.domain.errors import SandboxError
from ao.sandbox import Level, StopCause
from ao.testing.sandbox_conformance.rig import SMALL, Rig, finish


async def test_a_memory_hog_is_ended_and_the_report_has_figures(rig: Rig) -> None:
    source = """
        def main():
            kept = []
            while True: kept.append(bytearray(1 << 20))
        """
    ran = await rig.run(source)
    assert ran.exit.cause is StopCause.OUT_OF_MEMORY
    assert "the limit is 256 MiB" in ran.exit.detail
    assert (ran.exit.max_rss_bytes or 0) > SMALL.memory_bytes


async def test_memory_counts_for_the_whole_tree(rig: Rig) -> None:
    source = """
        import os, time
        def main():
            for _ in range(4):
                if os.fork() == 0:
                    kept = bytearray(os.urandom(1 << 20) * 100)
                    time.sleep(60)
                    os._exit(len(kept) & 1)
            time.sleep(60)
        """
    ran = await rig.run(source)
    assert ran.exit.cause is StopCause.OUT_OF_MEMORY


async def test_memory_that_forks_share_counts_once(rig: Rig) -> None:
    source = """
        import os, time
        def main():
            kept = bytearray(os.urandom(1 << 20) * 100)
            children = []
            for _ in range(6):
                child = os.fork()
                if child == 0:
                    time.sleep(0.3)
                    os._exit(0)
                children.append(child)
            for child in children: os.waitpid(child, 0)
            return len(kept) >> 20
        """
    assert (await rig.run(source)).result == 100


async def test_a_fork_bomb_is_contained(rig: Rig) -> None:
    source = """
        import os, time
        def main():
            children = 0
            while True:
                try: child = os.fork()
                except BlockingIOError: return children
                if child == 0:
                    time.sleep(60)
                    os._exit(0)
                children += 1
        """
    limits = dataclasses.replace(SMALL, processes=32)
    ran = await rig.run(source, limits=limits)
    if ran.exit.cause is StopCause.PROCESSES:
        assert not rig.level.namespaced
        assert "the limit is 32" in ran.exit.detail
    else:
        assert 20 <= ran.result < 32


async def test_threads_count_as_processes(rig: Rig) -> None:
    source = """
        import threading
        def main():
            stop = threading.Event()
            for _ in range(100): threading.Thread(target=stop.wait, daemon=True).start()
            stop.wait(60)
        """
    ran = await rig.run(source, limits=dataclasses.replace(SMALL, processes=32))
    if ran.exit.cause is None:
        assert ran.error["message"] == "RuntimeError: can't start new thread"
        assert "pids" in str(ran.error["hint"])
    else:
        assert ran.exit.cause is StopCause.PROCESSES


async def test_private_directories_cannot_grow_past_their_limits(rig: Rig) -> None:
    source = """
        import os, time
        def main(where):
            for number in range(64):
                with open(os.path.join(os.path.expandvars(where), str(number)), "wb") as file:
                    file.write(bytes(1 << 20))
            time.sleep(60)
        """
    for where in ("$AO_WORK_DIR", "$TMPDIR"):
        ran = await rig.run(source, where)
        if rig.level.namespaced:
            assert "No space left" in str(ran.error["message"])
            assert "full" in str(ran.error["hint"])
        else:
            assert ran.exit.cause is StopCause.DISK
            assert "the limit is 32 MiB" in ran.exit.detail


async def test_one_file_cannot_grow_past_the_limit(rig: Rig) -> None:
    source = """
        import os
        def main():
            with open(os.path.expanduser("~/big"), "wb") as file:
                while True: file.write(bytes(1 << 20))
        """
    ran = await rig.run(source)
    assert "OSError" in str(ran.error["message"])


async def test_open_files_are_limited(rig: Rig) -> None:
    source = """
        import os
        def main():
            try:
                while True: os.dup(0)
            except OSError as error:
                opened = len(range(os.dup2(0, 5)))
                os.closerange(6, 4096)
                raise
        """
    ran = await rig.run(source)
    assert "Too many open files" in str(ran.error["message"])
    assert "open files" in str(ran.error["hint"])


async def test_no_core_dump_is_written(rig: Rig) -> None:
    source = "import resource\ndef main(): return resource.getrlimit(resource.RLIMIT_CORE)"
    assert (await rig.run(source)).result == [0, 0]


async def test_limits_cannot_be_raised_from_inside(rig: Rig) -> None:
    source = """
        import resource
        def main():
            refused = []
            for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_CORE):
                hard = resource.getrlimit(kind)[1]
                try: resource.setrlimit(kind, (hard + 1, hard + 1))
                except (ValueError, OSError): refused.append(True)
            return refused
        """
    assert (await rig.run(source)).result == [True] * 3


async def test_cpu_time_and_memory_are_reported(rig: Rig) -> None:
    source = """
        import time
        def main():
            kept = bytearray(50 << 20)
            end = time.process_time() + 0.3
            while time.process_time() < end: pass
            return len(kept)
        """
    ran = await rig.run(source)
    assert 0.3 <= (ran.exit.cpu_seconds or 0) < 5
    assert (ran.exit.max_rss_bytes or 0) > 50 << 20


async def test_cores_are_limited_or_it_is_said_that_they_are_not(rig: Rig) -> None:
    source = """
        import time
        def main():
            began, end = time.process_time(), time.monotonic() + 1.0
            while time.monotonic() < end: pass
            return time.process_time() - began
        """
    ran = await rig.run(source, limits=dataclasses.replace(SMALL, cpu=0.2))
    if not any("CPU" in line for line in ran.info.degraded):
        assert ran.result < 0.5
    assert (rig.level is Level.DOCKER) or any("CPU" in line for line in ran.info.degraded)


async def test_an_image_is_used_or_it_is_said_that_it_is_not(rig: Rig) -> None:
    spec = dataclasses.replace(rig.spec("def main(): return 1"), image="ao-test/absent")
    if rig.level is Level.DOCKER:
        with pytest.raises(SandboxError, match="no image ao-test/absent"):
            await rig.executor.start(spec)
    else:
        ran = await finish(await rig.executor.start(spec))
        assert any("ao-test/absent is not used" in line for line in ran.info.degraded)


async def test_a_dockerfile_is_built_or_said_not_to_be_used(rig: Rig) -> None:
    spec = rig.spec({"agent.py": "def main(): return 1", "image/Dockerfile": "FROM ao-test/absent:1"})
    spec = dataclasses.replace(spec, dockerfile="image/Dockerfile")
    if rig.level is Level.DOCKER:
        with pytest.raises(SandboxError, match=r"image/Dockerfile does not build"):
            await rig.executor.provide(spec, lambda _: None)
        return
    await rig.executor.provide(spec, lambda _: None)
    ran = await finish(await rig.executor.start(spec))
    assert ran.result == 1
    assert any("the image of image/Dockerfile is not used" in line for line in ran.info.degraded)


async def test_a_limit_above_the_hosts_own_is_no_mistake(rig: Rig) -> None:
    limits = dataclasses.replace(SMALL, open_files=1 << 20, processes=1 << 19)
    source = "import resource\ndef main(): return resource.getrlimit(resource.RLIMIT_NOFILE)[1]"
    assert (await rig.run(source, limits=limits)).result > 128
