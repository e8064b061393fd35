"""Planted canaries: what a hostile agent tries first."""

import asyncio
import dataclasses
import os
import socket
from pathlib import Path

from ao.sandbox import Level, StopCause
from ao.testing.sandbox_conformance.levels import files_apart, in_namespaces
from ao.testing.sandbox_conformance.rig import Rig, finish, line

READ = """
    import os
    def main(paths):
        seen = {}
        for path in paths:
            try:
                with open(path, "rb") as file: seen[path] = file.read(100).decode("latin-1")
            except OSError as error: seen[path] = error.errno
        return seen
    """


async def test_a_level_says_what_it_does_not_keep_apart(rig: Rig) -> None:
    listed = rig.executor.info.degraded
    assert any("no file isolation" in line for line in listed) == (rig.level is Level.DEGRADED)
    assert bool(listed) == (not rig.level.namespaced)


@files_apart
async def test_secret_files_of_the_host_cannot_be_read(rig: Rig) -> None:
    paths = [str(rig.canary), "/etc/shadow", "/root/.bash_history", str(rig.root / "sandboxes/supervisor.lock")]
    ran = await rig.run(READ, paths)
    assert all(isinstance(seen, int) for seen in ran.result.values()), ran.result


@files_apart
async def test_directories_above_the_project_show_nothing_else(rig: Rig) -> None:
    source = """
        import os
        def main(paths):
            seen = []
            for path in paths:
                try: seen += [os.path.join(path, name) for name in os.listdir(path)]
                except OSError: pass
            return seen
        """
    spec = rig.spec(source)
    above = [str(path) for path in spec.code_dir.parents]
    seen = (await rig.run(source, above)).result
    assert str(rig.canary.parent) not in seen
    assert "/etc/shadow" not in seen


@files_apart
async def test_no_other_process_can_be_read_or_signalled(rig: Rig) -> None:
    source = """
        import os
        def main(worker):
            found = []
            for pid in {name for name in os.listdir("/proc") if name.isdigit()} | {str(worker)}:
                for name in ("environ", "mem", "maps", "auxv"):
                    try:
                        with open(f"/proc/{pid}/{name}", "rb") as file: data = file.read(1 << 16)
                        with open(f"/proc/{pid}/environ", "rb") as file: ours = b"AO_TEST_MARK" in file.read()
                    except OSError: continue
                    if data and not ours: found.append([pid, name])
                for link in ("root", "cwd", "fd"):
                    try: names = os.listdir(f"/proc/{pid}/{link}/")
                    except OSError: continue
                    if "secret" in names: found.append([pid, link])
            return found
        """
    found = (await rig.run(source, os.getpid(), env={"AO_TEST_MARK": "1"})).result
    # In a process namespace of its own the first process is the sandbox's, and the only other one.
    own = "1" if rig.level.namespaced else ""
    assert [name for pid, name in found if pid != own] == []
    assert [own, "root"] not in found


@files_apart
async def test_the_worker_cannot_be_signalled_or_traced(rig: Rig) -> None:
    source = """
        import ctypes, os
        def main(pids):
            libc = ctypes.CDLL(None, use_errno=True)
            reached = []
            for pid in pids:
                try: os.kill(pid, 0)
                except OSError: pass
                else: reached.append(["kill", pid])
                if libc.ptrace(16, pid, None, None) == 0: reached.append(["ptrace", pid])
            return reached
        """
    # Numbers that exist inside, too, are left out.
    pids = [pid for pid in (os.getpid(), os.getppid()) if pid > 500]
    assert (await rig.run(source, pids)).result == []


@files_apart
async def test_the_hosts_files_are_not_behind_proc(rig: Rig) -> None:
    canary = str(rig.canary)
    paths = [
        f"/proc/{pid}/{link}{canary}" for pid in ("1", "self", str(os.getpid())) for link in ("root", "cwd")
    ]
    ran = await rig.run(READ, [*paths, "/proc/kcore", "/proc/1/environ", "/proc/sysrq-trigger"])
    for path, seen in ran.result.items():
        assert isinstance(seen, int) or path == "/proc/1/environ", (path, seen)
        assert "canary" not in str(seen)


@files_apart
async def test_environment_and_project_are_read_only(rig: Rig) -> None:
    source = """
        import os
        def main(directories):
            for directory in directories:
                for act in (
                    lambda: open(os.path.join(directory, "planted"), "w"),
                    lambda: os.mkdir(os.path.join(directory, "planted")),
                    lambda: os.symlink("/", os.path.join(directory, "planted")),
                    lambda: os.rename(os.path.join(directory, "."), directory + "-moved"),
                ):
                    try: act()
                    except OSError: continue
                    return directory
        """
    spec = rig.spec(source)
    directories = [
        str(path) for path in (spec.code_dir, rig.env_dir, rig.env_dir / "bin", Path("/usr"), Path("/"))
    ]
    assert (await rig.run(source, directories)).result is None
    assert not (rig.env_dir / "planted").exists()


@files_apart
async def test_shared_directories_are_visible_and_only_the_writable_one_can_be_written(rig: Rig) -> None:
    source = """
        import os
        def main(directories):
            seen = []
            for directory in directories:
                with open(os.path.join(directory, "given")) as file: seen.append(file.read())
                try: open(os.path.join(directory, "made"), "w").close()
                except OSError: seen.append("refused")
            return seen
        """
    directories = [rig.root / "shared" / name for name in ("readable", "writable")]
    for directory in directories:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "given").write_text(directory.name)
    spec = rig.spec(source, [str(directory) for directory in directories])
    spec = dataclasses.replace(spec, readable_dirs=directories[:1], writable_dirs=directories[1:])
    ran = await finish(await rig.executor.start(spec))
    assert ran.result == ["readable", "refused", "writable"]
    assert (directories[1] / "made").exists()


@files_apart
async def test_writing_into_the_project_gets_a_hint(rig: Rig) -> None:
    error = (await rig.run("def main(): open('result.txt', 'w')")).error
    assert "AO_WORK_DIR" in str(error["hint"])


@files_apart
async def test_sockets_of_the_host_cannot_be_reached(rig: Rig) -> None:
    source = """
        import socket
        def main(addresses):
            reached = []
            for address in addresses:
                for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                    try:
                        with socket.socket(socket.AF_UNIX, kind) as sock: sock.connect(address)
                        reached.append(address)
                    except OSError: pass
                try:
                    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
                    ours.connect(address)
                    reached.append("pair " + address)
                except OSError: pass
            return reached
        """
    names = [f"\0ao-canary-{os.getpid()}", str(rig.root / "socket")]
    with socket.socket(socket.AF_UNIX) as abstract, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as named:
        abstract.bind(names[0])
        abstract.listen()
        named.bind(names[1])
        os.chmod(names[1], 0o777)  # noqa: S103 - it must be the sandbox that refuses
        try:
            assert (await rig.run(source, names)).result == []
        finally:
            os.unlink(names[1])


@files_apart
async def test_another_sandboxs_files_cannot_be_read(rig: Rig) -> None:
    holder = """
        import os, time
        def main():
            path = os.path.expanduser("~/secret")
            with open(path, "w") as file: file.write("canary")
            print(path)
            time.sleep(60)
        """
    thief = """
        import glob, os
        def main(path):
            mine = os.path.expanduser("~")
            for candidate in [path, *glob.glob("/proc/*/root" + path), *glob.glob("/proc/*/cwd/secret")]:
                try:
                    if open(candidate).read() == "canary": return candidate
                except OSError: pass
        """
    first = await rig.executor.start(rig.spec(holder))
    path = await line(first)
    try:
        assert (await rig.run(thief, path)).result is None
    finally:
        await first.stop(StopCause.CANCELLED)
        await finish(first)


async def test_no_variable_loads_code_into_what_runs_before_the_agent(rig: Rig) -> None:
    """Every program that the loader starts with such a variable complains once: the agent's Python alone."""
    env = {"LD_PRELOAD": "/nowhere/$'\"; evil.so", "LD_LIBRARY_PATH": "/nowhere"}
    ran = await rig.run(
        "import os\ndef main(): return [os.environ['LD_PRELOAD'], 'AO_LATER' in str(os.environ)]", env=env
    )
    assert ran.result == [env["LD_PRELOAD"], False]
    complaints = [line for line in ran.stderr.splitlines() if b"evil.so" in line]
    assert len(complaints) == 1, ran.stderr


async def test_an_agent_has_no_privileges(rig: Rig) -> None:
    source = """
        def main():
            wanted = ("Uid", "CapEff", "CapPrm", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Groups")
            with open("/proc/self/status") as file:
                rows = dict(line.rstrip().split(":", 1) for line in file)
            return {name: rows[name].split() for name in wanted}
        """
    status = (await rig.run(source)).result
    for name in ("CapEff", "CapPrm", "CapAmb"):
        assert int(status[name][0], 16) == 0, name
    assert (status["NoNewPrivs"], status["Seccomp"]) == (["1"], ["2"])
    if rig.level.namespaced:
        assert "0" not in status["Uid"]


DANGEROUS = {
    "libc.unshare(0x10000000)": "EPERM",
    "libc.unshare(0x00020000)": "EPERM",
    "libc.syscall(CLONE, 0x10000000 | 17, 0, 0, 0, 0)": "EPERM",
    "libc.syscall(435, 0, 0)": "ENOSYS",
    "libc.mount(b'none', b'/tmp', b'tmpfs', 0, None)": "EPERM",
    "libc.syscall(428, -100, b'/', 0)": "EPERM",
    "libc.setns(3, 0)": "EPERM",
    "libc.syscall(425, 8, 0)": "ENOSYS",
    "libc.syscall(KEYCTL, 0, -4, 1)": "EPERM",
    "libc.syscall(BPF, 0, 0, 0)": "EPERM",
    "libc.ioctl(0, 0x5412, b'x')": "EPERM",
    "libc.ioctl(0, ctypes.c_ulong(0x100005412), b'x')": "EPERM",
    "libc.socket(40, 1, 0)": "EAFNOSUPPORT",
    "libc.socket(17, 3, 0)": "EAFNOSUPPORT",
    "libc.socket(38, 5, 0)": "EAFNOSUPPORT",
}
"""New namespaces and mounts, keyrings, io_uring, BPF, typing into a terminal, odd socket families."""


async def test_dangerous_system_calls_are_refused(rig: Rig) -> None:
    source = """
        import ctypes, errno, os
        CLONE, KEYCTL, BPF = {"x86_64": (56, 250, 321), "aarch64": (220, 219, 280)}[os.uname().machine]
        libc = ctypes.CDLL(None, use_errno=True)
        def main(calls):
            refused = {}
            for call in calls:
                result = eval(call)
                if result == 0 and "CLONE" in call: os._exit(0)
                refused[call] = errno.errorcode.get(ctypes.get_errno()) if result == -1 else result
            return refused
        """
    assert (await rig.run(source, list(DANGEROUS))).result == DANGEROUS


@files_apart
async def test_devices_are_the_harmless_ones(rig: Rig) -> None:
    source = """
        import os, stat
        def main():
            opened = []
            for where, _, names in os.walk("/dev"):
                for name in names:
                    path = os.path.join(where, name)
                    try: fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW)
                    except OSError: continue
                    mode = os.fstat(fd).st_mode
                    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode): opened.append(path)
                    os.close(fd)
            for number in ((1, 1), (8, 0), (254, 0)):
                try: os.mknod(os.path.expanduser("~/device"), 0o666 | stat.S_IFBLK, os.makedev(*number))
                except OSError: continue
                opened.append(f"made {number}")
            return opened
        """
    harmless = {
        f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts/ptmx")
    }
    ran = await rig.run(source)
    assert set(ran.result) <= harmless


@in_namespaces
async def test_every_sandbox_has_namespaces_of_its_own(rig: Rig) -> None:
    source = """
        import os
        def main():
            return {name: os.stat("/proc/self/ns/" + name).st_ino for name in os.listdir("/proc/self/ns")}
        """
    first, second = await asyncio.gather(rig.run(source), rig.run(source))
    host = {name: os.stat(f"/proc/self/ns/{name}").st_ino for name in ("mnt", "pid", "net", "ipc", "uts")}
    for name, number in host.items():
        assert len({number, first.info.namespaces[name], second.info.namespaces[name]}) == 3, name
        assert first.result[name] == first.info.namespaces[name]


@in_namespaces
async def test_nobody_else_is_there(rig: Rig) -> None:
    source = """
        import os, socket
        def main():
            return [sorted(int(name) for name in os.listdir("/proc") if name.isdigit()), os.getpid(),
                    socket.gethostname(), sorted(os.listdir("/")), os.listdir("/home")]
        """
    pids, own, host, top, homes = (await rig.run(source)).result
    assert pids == [1, own]
    assert host == "agent"
    of_image = {".dockerenv", "boot", "media", "mnt", "opt", "root", "srv", "sys", "var"}
    assert set(top) - (of_image if rig.level is Level.DOCKER else set()) <= {
        *("bin", "dev", "etc", "home", "lib", "lib32", "lib64", "libx32", "proc", "run", "sbin", "tmp", "usr"),
        *(path.parts[1] for path in (rig.root.resolve(), (rig.env_dir / "bin/python").resolve())),
    }
    assert homes == ["agent"] or rig.root.is_relative_to("/home")


@files_apart
async def test_nothing_outside_the_private_directories_can_be_written(rig: Rig) -> None:
    source = """
        import os
        def main():
            allowed = (os.environ["AO_WORK_DIR"], os.environ["TMPDIR"], "/proc", "/tmp", "/dev/shm", "/sys")
            written = []
            for where, directories, _ in os.walk("/"):
                directories[:] = [d for d in directories if not os.path.join(where, d).startswith(allowed)]
                if len(where) > 1 and where.count("/") > 4: directories.clear()
                planted = os.path.join(where, ".planted")
                try: os.close(os.open(planted, os.O_CREAT | os.O_WRONLY))
                except OSError: continue
                os.unlink(planted)
                written.append(where)
            return written
        """
    assert (await rig.run(source)).result == []
