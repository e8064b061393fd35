"""A real Docker Engine for tests, and a base image made of Debian's packages; both are gone at the end.

`dockerd` is started by hand, as root, with everything that it keeps below one temporary directory, without
bridge and firewall rules: containers have the host's network or none. No registry is asked.
"""

import hashlib
import http.client
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.databases import IN_CI, install, missing

_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_CACHE = Path(__file__).resolve().parent.parent / ".cache" / "docker-base"
_PACKAGES = ("ca-certificates", "python3", "python3-venv")
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


@contextmanager
def base_root() -> Iterator[Path]:
    """A tar file of the smallest Debian with Python; made once, kept in `.cache` by what it is made of."""
    codename = subprocess.run(
        ["sh", "-c", '. /etc/os-release && echo "$VERSION_CODENAME"'],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    version = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Version}", "debootstrap"], capture_output=True, text=True, check=True
    ).stdout
    key = hashlib.sha256(f"{codename} {version} {_PACKAGES}".encode()).hexdigest()[:16]
    kept = _CACHE / f"{codename}-{key}.tar"
    if not kept.exists():
        _CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="ao-debootstrap-") as directory:
            tree = Path(directory, "root")
            command: list[str | Path] = [
                "debootstrap",
                "--variant=minbase",
                f"--include={','.join(_PACKAGES)}",
                codename,
                tree,
            ]
            ran = subprocess.run(command, capture_output=True, text=True, check=False)
            assert ran.returncode == 0, f"debootstrap:\n{ran.stdout[-4000:]}{ran.stderr}"
            partial = kept.with_suffix(f".{os.getpid()}")
            exclude = ["--exclude=./var/cache/apt/archives/*.deb", "--exclude=./dev/*"]
            subprocess.run(["tar", "-C", tree, *exclude, "-cf", partial, "."], check=True)
            partial.replace(kept)
    yield kept


def make_base_image(engine: Engine) -> str:
    """`BASE_IMAGE`: its Python, and what pip needs in a build on this machine: certificates and settings."""
    with base_root() as tar, tempfile.TemporaryDirectory(prefix="ao-base-") as directory:
        context = Path(directory)
        shutil.copyfile(tar, context / "root.tar")
        (context / "pip.conf").write_text(_pip_conf())
        certificates = _CA_BUNDLE.read_bytes() if _CA_BUNDLE.exists() else b""
        (context / "certificates").write_bytes(certificates)
        (context / "Dockerfile").write_text(
            "FROM scratch\nADD root.tar /\nCOPY pip.conf /etc/pip.conf\n"
            f'COPY certificates {_CA_BUNDLE}\nENV LANG=C.UTF-8\nCMD ["python3"]\n'
        )
        engine.docker("build", "--quiet", "--tag", BASE_IMAGE, directory)
    return BASE_IMAGE


def _pip_conf() -> str:
    """The host's own settings, variables too."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    ).stdout
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
    for program, package in (("dockerd", "docker.io"), ("debootstrap", "debootstrap")):
        if IN_CI and shutil.which(program) is None:
            install(package)
        if shutil.which(program) is None:
            missing(f"no Docker Engine: install {package}")
    with running() as engine:
        yield engine


@pytest.fixture(scope="session")
def base_image(docker_engine: Engine) -> str:
    """The name of an image with Python 3.11 in `docker_engine`."""
    return make_base_image(docker_engine)
