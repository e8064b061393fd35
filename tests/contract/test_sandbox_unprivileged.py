"""The sandbox suite once more, as a user without privileges, when the tests run as root."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

NOBODY = "65534"
SUITE = "tests/contract/test_sandbox_levels.py"
SCRIPT = """
set -e
while [ "$1" != -- ]; do mount --bind "$1" "$2"; shift 2; done
shift
cd "$PLACE"
exec setpriv --reuid=$UID_TO_BE --regid=$UID_TO_BE --clear-groups --inh-caps=-all --bounding-set=-all -- "$@"
"""
"""Shows checkout, Python and packages in places that every user may enter, in a mount namespace of its own."""


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="the suite itself runs unprivileged")
@pytest.mark.skipif(not shutil.which("unshare") or not shutil.which("setpriv"), reason="needs util-linux")
def test_the_suite_passes_as_an_unprivileged_user(tmp_path: Path) -> None:
    root = Path("/var/tmp") / f"ao-nobody-{os.getpid()}"
    checkout = Path(__file__).parents[2]
    shown = {
        Path(sys.base_prefix): root / "python",
        checkout: root / "checkout",
        Path(sysconfig.get_path("purelib")): root / "packages",
    }
    python = shown[Path(sys.base_prefix)] / Path(os.path.realpath(sys.executable)).relative_to(sys.base_prefix)
    try:
        for place in shown.values():
            place.mkdir(parents=True)
        (root / "tmp").mkdir(mode=0o777)
        (root / "tmp").chmod(0o777)
        root.chmod(0o755)
        mounts = [str(path) for pair in shown.items() for path in pair]
        moved = [
            "unshare",
            "--mount",
            "--propagation",
            "private",
            "sh",
            "-c",
            SCRIPT,
            "sh",
            *mounts,
            "--",
            str(python),
        ]
        environ = {"PATH": "/usr/bin:/bin", "UID_TO_BE": NOBODY, "PLACE": str(shown[checkout])}
        bare = subprocess.run([*moved, "-c", ""], env=environ, capture_output=True, text=True, check=False)
        if "libpython" in bare.stderr:
            pytest.skip("this Python finds its library in one place only, which that user may not enter")
        options = ["--noconftest", "-p", "no:cacheprovider", "-q", "--tb=short"]
        done = subprocess.run(  # noqa: PLW1510 - the assertion below shows more
            [*moved, "-m", "pytest", *options, SUITE],
            env={
                **environ,
                "HOME": str(root / "tmp"),
                "TMPDIR": str(root / "tmp"),
                "PYTHONDONTWRITEBYTECODE": "1",
                "PYTHONPATH": f"{root}/checkout/src:{root}/packages",
                "LD_LIBRARY_PATH": f"{root}/python/lib",
            },
            capture_output=True,
            text=True,
            timeout=600,
        )
    finally:
        shutil.rmtree(root)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
