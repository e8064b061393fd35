"""What an agent's release says: its model pins and its prompts, as this run has them.

Both are files of the release. A run of an assistant that overrides some has a release with those in it, so they
are also what the agent finds when it reads the files itself.
"""

from __future__ import annotations

import json
import os

from ao_runner import task as tasks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MODELS_FILE = os.path.join(".ao", "models.json")


def models() -> dict[str, Any]:
    """The model pins: alias → `"provider/model"`, or a table of settings; empty where there are none."""
    try:
        with open(os.path.join(_directory(), MODELS_FILE), encoding="utf-8") as file:
            return json.load(file)  # type: ignore[no-any-return]
    except FileNotFoundError:
        return {}


def model(alias: str) -> Any:
    """One pin. KeyError names the aliases that there are."""
    pins = models()
    if alias not in pins:
        known = ", ".join(pins) or "none: see [models] in ao.toml"
        raise KeyError("there is no model alias %r; there are %s" % (alias, known))
    return pins[alias]


def prompt(path: str) -> str:
    """The text of a prompt, by its path in the project, such as `prompts/triage.md`."""
    directory = _directory()
    full = os.path.normpath(os.path.join(directory, path))
    if not full.startswith(directory + os.sep):
        raise ValueError("%r leads out of the project" % path)
    try:
        with open(full, encoding="utf-8", newline="") as file:
            return file.read()
    except FileNotFoundError:
        raise FileNotFoundError("the release has no prompt %r" % path) from None


def _directory() -> str:
    """The release; where there is no AO, as in a test, the current directory. An import finds that, too."""
    return tasks.current.code_dir if tasks.current is not None else os.getcwd()
