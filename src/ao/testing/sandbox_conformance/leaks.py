"""Nothing of one run can be seen by the next of the same deployment, however it was started."""

import dataclasses
import itertools

import pytest

from ao.sandbox import SandboxSpec
from ao.testing.sandbox_conformance.levels import in_namespaces
from ao.testing.sandbox_conformance.rig import Ran, Rig, finish

_numbers = itertools.count()

PLANTS = {
    "files": """
        PLACES = [os.environ["HOME"], os.environ["TMPDIR"], *(["/dev/shm"] if PRIVATE_SHM else [])]
        def plant():
            for place in PLACES:
                os.makedirs(os.path.join(place, "deep/er"))
                open(os.path.join(place, "deep/er/file"), "w").write("left")
        def look(): return [name for place in PLACES for name in os.listdir(place) if name == "deep"]
        """,
    "globals": """
        SEEN = []
        def plant(): SEEN.append("left")
        def look(): return SEEN
        """,
    "environ": """
        def plant(): os.environ["LEFT"] = "left"
        def look(): return [name for name in os.environ if name == "LEFT"]
        """,
    "working directory": """
        def plant(): os.chdir("/")
        def look(): return ["left"] if os.getcwd() == "/" else []
        """,
    "modules": """
        import sys, types, json
        def plant():
            sys.modules["left"] = types.ModuleType("left")
            sys.path.append("/left")
            json.dumps = None
        def look(): return [name for name in (*sys.modules, *sys.path) if name.endswith("left")]
        """,
    "signal handlers": """
        import signal
        def plant(): signal.signal(signal.SIGUSR1, signal.SIG_IGN), signal.alarm(1000)
        def look():
            planted = signal.getsignal(signal.SIGUSR1) is signal.SIG_IGN
            return ["handler"] * planted + ["alarm"] * bool(signal.alarm(0))
        """,
    "background threads": """
        import threading, time
        def plant(): threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
        def look(): return [thread.name for thread in threading.enumerate()][1:]
        """,
    "children": """
        import time
        def plant():
            if os.fork() == 0:
                os.setsid()
                for fd in range(4): os.close(fd)
                if os.fork() == 0: time.sleep(600)
                os._exit(0)
            os.wait()
        def look():
            pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
            return [pid for pid in pids if OWN_PROCESSES and pid not in (1, os.getpid())]
        """,
    "System V memory": """
        import ctypes
        libc = ctypes.CDLL(None)
        def plant(): assert libc.shmget(4711, 4096, 0o1600) >= 0
        def look(): return ["left"] if OWN_PROCESSES and libc.shmget(4711, 4096, 0o600) >= 0 else []
        """,
    "ports": """
        import socket
        def plant():
            with socket.create_server(("127.0.0.1", 4711)) as server:
                ours = socket.create_connection(("127.0.0.1", 4711))
                theirs, _ = server.accept()
                theirs.close()
                ours.close()
        def look():
            with socket.socket() as sock:
                try: sock.bind(("127.0.0.1", 4711))
                except OSError as error: return [str(error)]
            return []
        """,
    "limits and masks": """
        import resource
        def plant():
            os.umask(0o077)
            resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))
            os.nice(19)
        def look():
            files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
            return ["left"] if os.umask(0o022) != 0o022 or files == 20 or os.nice(0) == 19 else []
        """,
    "descriptors": """
        def plant():
            os.open("/dev/null", os.O_RDONLY)
            os.set_inheritable(2, False)
            os.close(0)
        def look():
            opened = [int(name) for name in os.listdir("/proc/self/fd")]
            return [fd for fd in opened if fd > 4] + ["closed"] * (0 not in opened)
        """,
    "exit handlers": """
        import atexit
        def plant(): atexit.register(print, "left", flush=True)
        def look(): return []
        """,
    "interpreter": """
        import decimal, gc, locale, sys, time, warnings
        def state():
            return [sys.getrecursionlimit(), gc.isenabled(), gc.get_threshold(), sys.gettrace() is None,
                    len(warnings.filters), time.tzname, decimal.getcontext().prec, sys.getswitchinterval(),
                    locale.setlocale(locale.LC_ALL), sys.flags.dev_mode, sys.get_int_max_str_digits()
                    if hasattr(sys, "get_int_max_str_digits") else 0]
        FIRST = state()
        def plant():
            os.environ["TZ"] = "Pacific/Auckland"
            time.tzset()
            sys.setrecursionlimit(50_000), gc.disable(), gc.set_threshold(7), warnings.simplefilter("error")
            sys.settrace(lambda *_: None), sys.setswitchinterval(1), locale.setlocale(locale.LC_ALL, "C")
            decimal.getcontext().prec = 3
        def look(): return [] if state() == FIRST else [str(FIRST), str(state())]
        """,
    "patches of the runner": """
        import builtins, json, sys
        def plant():
            for name in ("results", "protocol", "task", "call", "main"):
                module = sys.modules["ao_runner." + name]
                for key in list(vars(module)):
                    if not key.startswith("__"): setattr(module, key, None)
            builtins.len = json.loads = json.dumps = None
            print("left", end="")
            sys.stdout.flush()
            os._exit(0)
        def look(): return ["left"] if len is None or json.loads is None else []
        """,
    "signal mask": """
        import signal
        SIGNALS = {signal.SIGUSR1, signal.SIGTERM, signal.SIGCHLD}
        def plant():
            signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
            os.kill(os.getpid(), signal.SIGUSR1)
            signal.setitimer(signal.ITIMER_REAL, 600)
        def look():
            left = signal.pthread_sigmask(signal.SIG_BLOCK, []) & SIGNALS
            return [str(each) for each in left | signal.sigpending()] + ["timer"] * bool(signal.getitimer(0)[0])
        """,
    "abstract sockets": """
        import socket
        HELD = []
        def plant():
            for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                sock = socket.socket(socket.AF_UNIX, kind)
                sock.bind(b"\\0left%d" % kind)
                HELD.append(sock)
            HELD[0].sendto(b"left", b"\\0left%d" % socket.SOCK_DGRAM)
            HELD[1].listen()
        def look():
            found = []
            for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM) if OWN_PROCESSES else ():
                with socket.socket(socket.AF_UNIX, kind) as sock:
                    try: sock.connect(b"\\0left%d" % kind)
                    except OSError: continue
                found.append(str(kind))
            return found
        """,
    "sockets inside each other": """
        import socket
        def plant():
            if not OWN_PROCESSES: return
            listening = socket.socket(socket.AF_UNIX)
            listening.bind(b"\\0inside")
            listening.listen()
            pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
            fds = [each.fileno() for each in (*pair, listening)]
            for each in pair: socket.send_fds(each, [b"x"], fds)
        def look():
            if not OWN_PROCESSES: return []
            with socket.socket(socket.AF_UNIX) as sock:
                try: sock.connect(b"\\0inside")
                except OSError: return []
            return ["left"]
        """,
    "siblings": """
        import ctypes, time
        CLONE = {"x86_64": 56, "aarch64": 220}[os.uname().machine]
        CLONE_PARENT, SIGCHLD = 0x8000, 17
        def plant():
            if ctypes.CDLL(None).syscall(CLONE, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0) == 0:
                for fd in range(4): os.close(fd)
                time.sleep(600)
                os._exit(0)
        def look():
            pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
            return [pid for pid in pids if OWN_PROCESSES and pid not in (1, os.getpid())]
        """,
    "message queues": """
        import ctypes
        libc = ctypes.CDLL(None)
        def plant(): libc.mq_open(b"/left", os.O_CREAT | os.O_RDWR, 0o600, None)
        def look(): return ["left"] if OWN_PROCESSES and libc.mq_open(b"/left", os.O_RDWR) >= 0 else []
        """,
    "flags of standard input": """
        def plant(): os.set_blocking(0, False)
        def look(): return ["left"] if not os.get_blocking(0) else []
        """,
    "memory": """
        KEPT = []
        def plant(): KEPT.append(bytearray(os.urandom(1 << 20) * 50))
        def look():
            with open("/proc/self/statm") as file: pages = int(file.read().split()[1])
            return ["left"] if pages * 4096 > 50 << 20 else []
        """,
}


def source(plant: str, rig: Rig) -> str:
    own = rig.level.namespaced
    head = f"import os\nPRIVATE_SHM = OWN_PROCESSES = {own}\n"
    lines = [line[8:] for line in PLANTS[plant].splitlines()]
    return head + "\n".join(lines) + "\ndef main(act): return globals()[act]()\n"


async def again(rig: Rig, spec: SandboxSpec, input_json: str = "null", run: str = "1") -> Ran:
    """One more run of the same deployment."""
    one = dataclasses.replace(
        spec, id=f"again-{next(_numbers)}", input_json=input_json, run_env={"AO_RUN_ID": run}
    )
    ran = await finish(await rig.executor.start(one))
    assert ran.info.warm is rig.warm, ran.info.why_cold
    return ran


ALL = [pytest.param(plant, marks=in_namespaces if plant == "ports" else ()) for plant in PLANTS]
"""Below `namespaces` there is no network in which a port could be left."""


@pytest.mark.parametrize("plant", ALL)
async def test_a_run_finds_nothing_of_the_one_before(rig: Rig, plant: str) -> None:
    spec = rig.spec(source(plant, rig))
    before = await again(rig, spec, '"look"')
    assert before.result == [], before
    await again(rig, spec, '"plant"')
    found = await again(rig, spec, '"look"')
    assert (found.result, found.stdout) == ([], b""), found


async def test_every_run_has_its_own_input_and_variables(rig: Rig) -> None:
    spec = rig.spec("import os\ndef main(x): return [x, os.environ['AGENT_INPUT'], os.environ['AO_RUN_ID']]")
    for number in range(3):
        ran = await again(rig, spec, str(number), run=f"run-{number}")
        assert ran.result == [number, str(number), f"run-{number}"]


async def test_random_numbers_differ_from_run_to_run(rig: Rig) -> None:
    spec = rig.spec(
        """
        import os, random, tempfile, uuid
        def main(): return [random.random(), str(uuid.uuid4()), os.urandom(8).hex(), tempfile.mktemp()]
        """
    )
    runs = [(await again(rig, spec)).result for _ in range(4)]
    for values in zip(*runs, strict=True):
        assert len(set(values)) == 4


async def test_what_an_import_prints_is_in_every_run(rig: Rig) -> None:
    spec = rig.spec("import sys\nprint('out')\nprint('err', file=sys.stderr)\ndef main(): print('main')")
    for _ in range(2):
        ran = await again(rig, spec)
        assert (ran.stdout, ran.stderr) == (b"out\nmain\n", b"err\n")


async def test_a_run_that_ends_badly_does_not_spoil_the_next(rig: Rig) -> None:
    spec = rig.spec(
        """
        import ctypes, os, signal, sys, time
        def main(how):
            if how == "raise": raise ValueError("bad")
            if how == "exit": sys.exit(3)
            if how == "kill": os.kill(os.getpid(), signal.SIGKILL)
            if how == "all": os.kill(-1, signal.SIGKILL)
            if how == "group": os.killpg(0, signal.SIGKILL)
            if how == "crash": ctypes.string_at(0)
            if how == "silent": os.closerange(0, 256), os._exit(0)
            if how == "crowd":
                try:
                    while True: os.fork() or time.sleep(600)
                except OSError: os._exit(1)
            if how == "first":
                for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM): os.kill(1, number)
            return "good"
        """
    )
    ways = ["raise", "exit", "kill", "group", "crash", "silent", "crowd"]
    for how in (*ways, *(("all", "first") if rig.level.namespaced else ())):
        said = [message["type"] for message in (await again(rig, spec, f'"{how}"')).messages]
        assert "result" not in said or how in ("all", "first")
        assert (await again(rig, spec, '"none"')).result == "good"


async def test_what_is_imported_late_is_found(rig: Rig) -> None:
    files = {"agent.py": "def main():\n    import near\n    return near.WORD", "near.py": "WORD = 'neighbour'"}
    spec = rig.spec(files)
    writes = rig.spec("import os\ndef main(): open(os.environ['TMPDIR'] + '/x', 'w').close()")
    for each in (spec, spec, writes, writes, spec):
        await again(rig, each)
    assert (await again(rig, spec)).result == "neighbour"
