"""A real Docker Engine for tests, and a base image of this host's Debian packages; both are gone at the end.

`dockerd` is started by hand, as root, with everything that it keeps below one temporary directory, without
bridge and firewall rules: containers have the host's network or none. No registry is asked.
"""

import http.client
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.databases import IN_CI, install, missing

_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_PACKAGES = ("ca-certificates", "libstdc++6", "passwd", "python3", "python3-venv")
_LEFT_OUT = ("/usr/share/doc/", "/usr/share/locale/", "/usr/share/man/", "/usr/share/lintian/")
_PYTHON = Path("/usr/lib/python3.11")
_CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
_PIP_SETTINGS = ("index-url", "extra-index-url", "proxy", "trusted-host", "timeout")
"""Of the host's pip, what means the same inside a build; its certificates are in the image."""

BASE_IMAGE = "ao-test/python:3.11"


@dataclass(frozen=True, slots=True)
class Engine:
    """One running `dockerd`."""

    root: Path
    storage_driver: str

    @property
    def socket(self) -> Path:
        return self.root / "docker.sock"

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    @property
    def variables(self) -> Mapping[str, str]:
        """What `docker` and AO have to be told to use this engine."""
        return {"DOCKER_HOST": self.url, "DOCKER_CONFIG": str(self.root / "config")}

    def docker(self, *arguments: str, timeout: float = 300.0) -> str:
        """Run the client; its standard output. Fails with what it said."""
        ran = subprocess.run(
            ["docker", *arguments],
            env={**os.environ, **self.variables},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert ran.returncode == 0, f"docker {' '.join(arguments)}:\n{ran.stdout}{ran.stderr}"
        return ran.stdout.strip()


@contextmanager
def running() -> Iterator[Engine]:
    """Start an engine; stop it and remove all that it made at the end."""
    # A short path: sockets below it have names of at most 107 bytes.
    root = Path(tempfile.mkdtemp(prefix="ao-docker-", dir="/tmp"))
    cgroup = root.name
    try:
        engine = Engine(root, _storage_driver(root))
        process = _start(engine, cgroup)
        try:
            _wait_until_ready(engine, process)
            yield engine
            _remove_containers(engine)
        finally:
            _stop(process)
    finally:
        _unmount_below(root)
        shutil.rmtree(root)
        _remove_cgroups(cgroup)


def _start(engine: Engine, cgroup: str) -> subprocess.Popen[bytes]:
    root = engine.root
    (root / "daemon.json").write_text("{}\n")  # not this machine's
    (root / "config").mkdir()
    command: list[str | Path] = [
        "setpriv", "--pdeathsig", "TERM",  # it ends with the tests
        "dockerd", "--config-file", root / "daemon.json", "--host", engine.url, "--pidfile", root / "pid",
        "--data-root", root / "data", "--exec-root", root / "exec", "--storage-driver", engine.storage_driver,
        "--bridge=none", "--iptables=false", "--ip6tables=false", "--cgroup-parent", f"/{cgroup}",
        "--shutdown-timeout", "5",
    ]  # fmt: skip
    with (root / "log").open("wb") as log:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def _wait_until_ready(engine: Engine, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not _answers(engine.socket):
        if process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(f"dockerd does not come up:\n{(engine.root / 'log').read_text()[-4000:]}")
        time.sleep(0.05)


def _answers(path: Path) -> bool:
    connection = http.client.HTTPConnection("docker", timeout=5.0)
    try:
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(5.0)
        connection.sock.connect(str(path))
        connection.request("GET", "/_ping")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _storage_driver(root: Path) -> str:
    """overlay2 where this file system can carry it, else vfs, which copies."""
    tried = root / "tried"
    for name in ("lower", "upper", "work", "merged"):
        (tried / name).mkdir(parents=True)
    options = f"lowerdir={tried}/lower,upperdir={tried}/upper,workdir={tried}/work"
    command: list[str | Path] = ["mount", "-t", "overlay", "overlay", "-o", options, tried / "merged"]
    mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    if mounted:
        subprocess.run(["umount", tried / "merged"], check=True)
    shutil.rmtree(tried)
    return "overlay2" if mounted else "vfs"


def _remove_containers(engine: Engine) -> None:
    left = engine.docker("ps", "--all", "--quiet").split()
    if left:
        engine.docker("rm", "--force", *left)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _unmount_below(root: Path) -> None:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = [line.split()[4] for line in lines if line.split()[4].startswith(f"{root}/")]
    for point in sorted(points, key=len, reverse=True):
        subprocess.run(["umount", "--lazy", point], check=True)


def _remove_cgroups(name: str) -> None:
    for parent in Path("/sys/fs/cgroup").glob(f"**/{name}"):
        for directory, _, _ in os.walk(parent, topdown=False):
            os.rmdir(directory)


def make_base_image(engine: Engine) -> str:
    """`BASE_IMAGE`: Python, and what pip needs in a build on this machine: certificates and settings."""
    with tempfile.TemporaryDirectory(prefix="ao-base-") as directory:
        listed = Path(directory, "files")
        listed.write_text("".join(f"{path.lstrip('/')}\0" for path in _files(_with_dependencies(_PACKAGES))))
        tar = Path(directory, "root.tar")
        _said("tar", "-C", "/", "--no-recursion", "--null", "-T", str(listed), "-cf", str(tar))
        made = Path(directory, "made")
        for path, text in _of_this_image().items():
            (made / path).parent.mkdir(parents=True, exist_ok=True)
            (made / path).write_text(text)
        owners = ["--owner=0", "--group=0", "--mode=u=rwX,go=rX"]
        _said("tar", "-C", str(made), "--append", *owners, "-f", str(tar), *_of_this_image())
        changes = ("ENV LANG=C.UTF-8", 'CMD ["python3"]')
        engine.docker(
            "import", *(word for each in changes for word in ("--change", each)), str(tar), BASE_IMAGE
        )
    return BASE_IMAGE


def _with_dependencies(packages: Sequence[str]) -> list[str]:
    """Installed packages that these need, and those without which there is no Debian."""
    needs: dict[str, list[list[str]]] = {}
    provided: dict[str, str] = {}
    wanted = list(packages)
    form = "${Package}\t${Pre-Depends}, ${Depends}\t${Provides}\t${Essential}\n"
    for row in _said("dpkg-query", "-W", "-f", form).splitlines():
        name, depends, provides, essential = row.split("\t")
        needs[name] = [_names(either, "|") for either in depends.split(",")]
        provided |= dict.fromkeys(_names(provides, ","), name)
        wanted += [name] if essential == "yes" else []
    found: set[str] = set()
    while wanted:
        name = wanted.pop()
        if name not in found:
            found.add(name)
            for either in needs[name]:
                known = [provided.get(each, each) for each in either if each in needs or each in provided]
                wanted += known[:1]
    return sorted(found)


def _names(text: str, separator: str) -> list[str]:
    """`a (>= 1), b:any` → a, b."""
    return [part.split()[0].partition(":")[0] for part in text.split(separator) if part.strip()]


def _files(packages: Sequence[str]) -> list[str]:
    """What these packages have on this host, by the paths at which it really lies, links to it, bytecode."""
    paths = {path for path in _said("dpkg-query", "-L", *packages).splitlines() if path.startswith("/")}
    really = {os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path)) for path in paths}
    really |= {f"/{name}" for name in os.listdir("/") if os.path.islink(f"/{name}")}
    really |= {str(path) for path in Path("/etc/alternatives").iterdir()} | {
        "/etc/alternatives",
        "/usr/bin/awk",
    }
    really |= {str(path) for place in _PYTHON.rglob("__pycache__") for path in (place, *place.iterdir())}
    return sorted(path for path in really if os.path.lexists(path) and not path.startswith(_LEFT_OUT))


def _of_this_image() -> dict[str, str]:
    """Files that no package has, by path: of Debian's users, and for pip."""
    certificates = _CA_BUNDLE.read_text() if _CA_BUNDLE.exists() else ""
    return {
        "etc/passwd": Path("/usr/share/base-passwd/passwd.master").read_text().replace(":*:", ":x:"),
        "etc/group": Path("/usr/share/base-passwd/group.master").read_text().replace(":*:", ":x:"),
        "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
        "etc/pip.conf": _pip_conf(),
        str(_CA_BUNDLE.relative_to("/")): certificates,
    }


def _said(*command: str) -> str:
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, f"{' '.join(command)}:\n{ran.stdout[-4000:]}{ran.stderr}"
    return ran.stdout.strip()


def _pip_conf() -> str:
    """The host's own settings, variables too."""
    listed = _said(sys.executable, "-m", "pip", "config", "list")
    found: dict[str, str] = {}
    for line in listed.splitlines():
        name, equals, value = line.partition("=")
        key = name.partition(".")[2].replace("_", "-")
        words = [word for word in value.strip("'\"").split() if not word.startswith("file:")]
        if equals and key in _PIP_SETTINGS and words:
            found[key] = " ".join(words)
    found["cert"] = str(_CA_BUNDLE)
    return "[global]\n" + "".join(f"{key} = {value}\n" for key, value in found.items())


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[Engine]:
    """One engine for the session."""
    if sys.platform != "linux" or os.geteuid() != 0:
        missing("no Docker Engine: the tests start one of their own, as root")
    if IN_CI and shutil.which("dockerd") is None:
        install("docker.io")
    if shutil.which("dockerd") is None:
        missing("no Docker Engine: install docker.io")
    with running() as engine:
        yield engine


@pytest.fixture(scope="session")
def base_image(docker_engine: Engine) -> str:
    """The name of an image with Python 3.11 in `docker_engine`."""
    if shutil.which("dpkg-query") is None or not Path("/usr/bin/python3.11").exists():
        missing("no base image: it is made of Debian 12's packages, python3-venv among them")
    return make_base_image(docker_engine)
