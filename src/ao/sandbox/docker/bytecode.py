"""Bytecode of an image's standard library, for images that have none: official slim ones leave it out, and
every start would compile what it imports, a quarter of a second.

It is compiled by the image's own Python, once, in a container that may nothing else, into a directory of the
host. Containers see it where Python looks for it; Python takes it only for the very source that it was made of.
"""

import json
import shutil
import tempfile
from pathlib import Path

from ao.domain.errors import SandboxError
from ao.sandbox.docker.container import mount
from ao.sandbox.docker.engine import Json

OUT = "/run/ao-bytecode"
COMPILE = f"""
import importlib.util, json, os, py_compile, sysconfig
LEFT_OUT = ("test", "tests", "idlelib", "lib2to3", "tkinter", "turtledemo", "ensurepip", "pydoc_data",
            "distutils", "site-packages", "dist-packages", "__pycache__")
places = []
for where, below, names in os.walk(sysconfig.get_path("stdlib")):
    below[:] = sorted(name for name in below if name not in LEFT_OUT)
    sources = [os.path.join(where, name) for name in names if name.endswith(".py")]
    if sources:
        target = os.path.join({OUT!r}, str(len(places)))
        os.mkdir(target)
        os.chmod(target, 0o777)  # the host's user removes it
        for source in sources:
            name = os.path.basename(importlib.util.cache_from_source(source))
            py_compile.compile(source, os.path.join(target, name), quiet=2)
        places.append(os.path.join(where, "__pycache__"))
print(json.dumps(places))
"""
_PLACES = "places.json"
_PARTIAL = "."


class Bytecode:
    """Of all images that were looked at, by their ids; it outlives the worker."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def known(self, image: str) -> list[Json] | None:
        """What shows it in a container; None: it has to be made."""
        made = self._made(image)
        if not (made / _PLACES).exists():
            return None
        places: list[str] = json.loads((made / _PLACES).read_text())
        return [mount(made / str(number), place) for number, place in enumerate(places)]

    def begin(self) -> Path:
        """A directory to compile into, at `OUT`."""
        self._root.mkdir(mode=0o700, exist_ok=True)
        directory = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=self._root))
        directory.chmod(0o777)  # the container is another user
        return directory

    def finish(self, directory: Path, image: str, told: str) -> None:
        """It is complete; `told` is what the compiler printed. None but containers of that image trust it."""
        places = json.loads(told.splitlines()[-1]) if told else None
        if not isinstance(places, list) or not all(isinstance(each, str) for each in places):
            raise SandboxError(f"the Python of image {image} does not tell what it compiled")
        (directory / _PLACES).write_text(json.dumps(places))
        directory.rename(self._made(image))

    def forget(self, directory: Path) -> None:
        if directory.exists():
            shutil.rmtree(directory)

    def images(self) -> list[str]:
        """For which there is some. What a crash left half done is removed."""
        made = list(self._root.iterdir()) if self._root.exists() else []
        for path in made:
            if path.name.startswith(_PARTIAL):
                self.forget(path)
        return [f"sha256:{path.name}" for path in made if not path.name.startswith(_PARTIAL)]

    def remove(self, image: str) -> None:
        self.forget(self._made(image))

    def _made(self, image: str) -> Path:
        return self._root / image.removeprefix("sha256:")
