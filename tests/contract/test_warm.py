"""When runs start warm, when they do not, and what code may do while it is imported ahead of them."""

import asyncio
import dataclasses
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.warm import open_warm

from ao.sandbox import Entrypoint, Network, SandboxSpec, StopCause
from ao.sandbox.process import ProcessExecutor, WarmOptions
from ao.sandbox.process.box import ProcessSandbox
from ao.sandbox.process.supervisor import tree
from ao.testing.sandbox_conformance.isolation import DANGEROUS
from ao.testing.sandbox_conformance.leaks import again
from ao.testing.sandbox_conformance.rig import Rig, finish
from ao.worker.parting import see_off


@pytest.fixture
async def rig(root: Path) -> AsyncIterator[Rig]:
    executor = await open_warm(root, WarmOptions(slots=1, runs=3, quick=True))
    yield Rig(executor, root, root / "env", warm=True)
    await executor.close()


IMPORTS = {
    "from threading import *\nThread(target=Event().wait, daemon=True).start()": "starts threads",
    "import socket\nheld = socket.socket()": "leaves a socket open",
    "held = open(__file__)": "open",
    "print('x' * 40_000)": "prints more",
    "import signal\nsignal.setitimer(signal.ITIMER_REAL, 600)": "leaves a timer running",
    "import mmap\nheld = mmap.mmap(-1, 4096)": "shares writable memory",
    "import os\nopen(os.environ['HOME'] + '/cache', 'w').close()": "writes files",
    "import os\nID = os.environ.get('AO_RUN_ID')": "AO_RUN_ID is read at import",
    "import os\nID = os.getenv('AGENT_INPUT')": "AGENT_INPUT is read at import",
    "import os, time\nif os.fork() == 0: time.sleep(60)": "threads or processes",
    "raise ValueError('not today')": "the import fails: ValueError: not today",
    "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)": "the template ended",
    "import sys\nsys.exit(0)": "the import exits",
}


@pytest.mark.parametrize("code", IMPORTS)
async def test_an_import_that_cannot_be_shared_makes_runs_cold_and_says_why(rig: Rig, code: str) -> None:
    spec = rig.spec(f"{code}\ndef main(): return 1")
    assert IMPORTS[code] in await rig.executor.prepare(spec)
    sandbox = await rig.executor.start(spec)
    assert not sandbox.info.warm
    assert IMPORTS[code] in sandbox.info.why_cold
    await sandbox.wait()


async def test_what_has_nothing_to_import_starts_cold(rig: Rig) -> None:
    script = rig.spec({"tool.py": ""}, entrypoint=Entrypoint("script", "tool.py"))
    assert "nothing to import" in await rig.executor.prepare(script)
    function = rig.spec("def main(): return 1")
    assert "ao.toml" in await rig.executor.prepare(dataclasses.replace(function, warm=False))
    assert "list of hosts" in await rig.executor.prepare(
        dataclasses.replace(function, network=Network("hosts", ("a.example",)))
    )


async def test_an_import_has_no_more_power_than_a_run(rig: Rig) -> None:
    source = f"""
        import ctypes, errno, os
        CLONE, KEYCTL, BPF = {{"x86_64": (56, 250, 321), "aarch64": (220, 219, 280)}}[os.uname().machine]
        libc = ctypes.CDLL(None, use_errno=True)
        def attempt(call):
            result = eval(call)
            return errno.errorcode.get(ctypes.get_errno()) if result == -1 else result
        REFUSED = {{call: attempt(call) for call in {list(DANGEROUS)!r}}}
        with open("/proc/self/status") as file: STATUS = dict(line.rstrip().split(":", 1) for line in file)
        RAISED = []
        for name in ("setuid", "setgid"):
            try: getattr(os, name)(0)
            except OSError: continue
            RAISED.append(name)
        NAMES = ("CapEff", "CapPrm", "CapBnd", "NoNewPrivs")
        def main(): return [REFUSED, [STATUS[name].split()[0] for name in NAMES], RAISED]
        """
    spec = rig.spec(source)
    assert await rig.executor.prepare(spec) == ""
    refused, status, raised = (await again(rig, spec)).result
    assert refused == DANGEROUS
    assert [int(text, 16) for text in status] == [0, 0, 0, 1]
    assert raised == []


LEAVES = {
    "return 1": True,
    "import os; os.write(1, b'said')": True,
    "import threading; threading.Thread(target=threading.Event().wait, args=(0.05,)).start()": False,
    "import atexit; atexit.register(int)": False,
    "import subprocess; subprocess.run(['true'])": False,
    "import subprocess; subprocess.Popen(['sleep', '0.05'])": False,
    "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)": False,
    "import sys; sys.stdout.close()": False,
}


@pytest.mark.parametrize("code", LEAVES)
async def test_only_a_run_that_leaves_nothing_behind_says_so(rig: Rig, code: str) -> None:
    spec = rig.spec(f"def main(): {code}")
    assert await rig.executor.prepare(spec) == ""
    ran = await again(rig, spec)
    kinds = [message["type"] for message in ran.messages]
    assert kinds == ["started", "result", *(["over"] if LEAVES[code] else [])]
    assert ran.exit.cause is None
    assert ran.stdout == (b"said" if "said" in code else b"")


@pytest.mark.parametrize("flush", ["raise SystemExit(3)", "raise KeyboardInterrupt", "raise ValueError"])
async def test_a_result_counts_whatever_becomes_of_the_output_after_it(rig: Rig, flush: str) -> None:
    spec = rig.spec(f"""
        import sys
        class Tee:
            armed = False
            def write(self, text): pass
            def flush(self):
                if self.armed: {flush}
        sys.stdout = Tee()
        def main():
            sys.stdout.armed = True
            return "earned"
        """)
    assert await rig.executor.prepare(spec) == ""
    assert (await again(rig, spec)).result == "earned"


async def test_who_says_that_it_exits_and_does_not_is_killed(rig: Rig) -> None:
    spec = rig.spec("""
        import os, time
        from ao_runner import protocol
        def main():
            for message in ({"type": "result", "value": 1}, {"type": "over", "cpu": 0.0, "rss": 1}):
                os.write(3, protocol.encode(message))
            time.sleep(60)
        """)
    assert await rig.executor.prepare(spec) == ""
    sandbox, condemned = await rig.executor.start(spec), asyncio.Event()
    while message := await sandbox.receive():
        if message["type"] == "over":
            see_off(sandbox, "it", condemned.set)
    assert (await sandbox.wait()).cause is StopCause.TIMEOUT
    assert not condemned.is_set()
    other = rig.spec("def main(): return 2")
    assert await rig.executor.prepare(other) == ""
    assert (await again(rig, other)).result == 2


async def test_other_secrets_mean_another_template(rig: Rig) -> None:
    spec = rig.spec("import os\nKEY = os.environ['KEY']\ndef main(): return KEY", env={"KEY": "old"})
    for value in ("old", "new", "old"):
        changed = dataclasses.replace(spec, env={"KEY": value})
        await rig.executor.prepare(changed)
        assert (await again(rig, changed)).result == value


async def test_a_slot_is_replaced_after_so_many_runs_and_none_of_them_starts_cold(rig: Rig) -> None:
    spec = rig.spec("def main(): return 1")
    slots = [await _slot_of(rig, spec, number) for number in range(3)]
    assert len(set(slots)) == 1
    while slots[-1] == slots[0]:
        slots.append(await _slot_of(rig, spec, len(slots)))
        assert len(slots) < 1000


async def test_a_slot_whose_template_grows_is_replaced(rig: Rig) -> None:
    spec = rig.spec("""
        import os
        HELD = []
        os.register_at_fork(after_in_parent=lambda: HELD.append(bytearray(100 << 20)))
        def main(): return len(HELD)
        """)
    slots = [await _slot_of(rig, spec, 0)]
    while slots[-1] == slots[0]:
        slots.append(await _slot_of(rig, spec, len(slots)))
        assert len(slots) < 20


async def _slot_of(rig: Rig, spec: SandboxSpec, number: int) -> str:
    """Where a warm run was made."""
    assert await rig.executor.prepare(spec) == ""
    sandbox = await rig.executor.start(dataclasses.replace(spec, id=f"one-{number}"))
    assert isinstance(sandbox, ProcessSandbox)
    assert (await finish(sandbox)).info.warm
    return sandbox.slot_id


async def test_runs_that_take_less_than_a_start_wait_for_a_warm_child(root: Path) -> None:
    executor = await open_warm(root, WarmOptions(slots=1))
    rig = Rig(executor, root, root / "env", warm=True)
    spec = rig.spec("import time\ntime.sleep(1)\ndef main(): time.sleep(0.005)")
    try:
        for number in range(3):
            await _slot_of(rig, spec, number)
        runs = [executor.start(dataclasses.replace(spec, id=f"at-once-{number}")) for number in range(4)]
        ends = [finish(sandbox) for sandbox in await asyncio.gather(*runs)]
        assert all(ran.info.warm for ran in await asyncio.gather(*ends))
    finally:
        await executor.close()


async def test_a_run_does_not_wait_for_those_that_take_long(root: Path) -> None:
    executor = await open_warm(root, WarmOptions(slots=1))
    rig = Rig(executor, root, root / "env", warm=True)
    spec = rig.spec("import time\ndef main(seconds): time.sleep(seconds)", 600)
    try:
        await executor.prepare(spec)
        long = await executor.start(spec)
        short = dataclasses.replace(spec, id="short", input_json="0")
        assert not (await finish(await executor.start(short))).info.warm
        await long.stop(StopCause.CANCELLED)
        await finish(long)
    finally:
        await executor.close()


async def test_the_least_used_template_makes_room_and_what_is_kept_goes_last(root: Path) -> None:
    first = await open_warm(root, WarmOptions(slots=1))
    specs = [Rig(first, root, root / "env").spec(f"def main(): return {number}") for number in range(3)]
    assert await first.prepare(specs[0]) == ""
    (template,) = first.templates()
    await first.close()
    executor = await open_warm(root, WarmOptions(slots=1, memory_bytes=int(2.5 * template.memory_bytes)))
    executor.keep(specs[:1])
    try:
        for number in (0, 1, 2, 0):
            assert await executor.prepare(specs[number]) == ""
        states = [each.state for each in executor.templates()]
        assert sorted(states) == ["cold", "ready", "ready"]
        assert executor.templates()[0].state == "cold"  # the second: neither kept nor last
    finally:
        await executor.close()


async def test_a_template_that_dies_is_made_again_and_its_run_is_told(rig: Rig) -> None:
    assert isinstance(rig.executor, ProcessExecutor)
    spec = rig.spec("import time\ndef main(seconds): time.sleep(seconds)", 600)
    await rig.executor.prepare(spec)
    sandbox = await rig.executor.start(spec)
    reapers = [pid for pid in tree.members(rig.executor.supervisor_pid) if _name(pid) == b"reaper"]
    os.kill(reapers[0], signal.SIGKILL)
    assert (await sandbox.wait()).signal == signal.SIGKILL
    why_cold = await rig.executor.prepare(spec)
    following = await finish(await rig.executor.start(dataclasses.replace(spec, input_json="0")))
    assert following.exit.exit_code == 0
    assert following.info.why_cold == why_cold


async def test_templates_that_find_no_room_are_not_made(root: Path) -> None:
    executor = await open_warm(root, WarmOptions(memory_bytes=1))
    rig = Rig(executor, root, root / "env", warm=True)
    spec = rig.spec("def main(): return 1")
    assert "memory" in await executor.prepare(spec)
    assert (await finish(await executor.start(spec))).info.why_cold
    await executor.close()


def _name(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]
    except FileNotFoundError:
        return b""
