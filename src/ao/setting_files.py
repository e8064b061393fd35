"""Values of settings that stand in files: `AO_SECRETS_KEY_FILE=/run/secrets/key` in place of `AO_SECRETS_KEY`.

Variables are shown to whoever may list a process or inspect a container; a file has an owner and a mode.
"""

from collections.abc import Mapping
from pathlib import Path

from ao.domain.errors import InvalidConfig, Problem

SUFFIX = "_FILE"


def read(variable: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """The variable that gives the value, `NAME` or `NAME_FILE`, and the value; empty when neither does.

    Raises InvalidConfig with one problem.
    """
    by_file = variable + SUFFIX
    value, path = environ.get(variable, "").strip(), environ.get(by_file, "").strip()
    if not path:
        return variable, value
    if value:
        raise _refused(by_file, f"is set beside {variable}", "keep one of the two")
    try:
        text = Path(path).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise _refused(by_file, f"names {path}, which cannot be read: {reason}", _READABLE) from error
    if not text:
        raise _refused(by_file, f"names {path}, which is empty", f"it holds the value of {variable}")
    return by_file, text


_READABLE = "name a file that the user who runs AO may read"


def _refused(field: str, message: str, hint: str) -> InvalidConfig:
    return InvalidConfig(f"{field} {message}", hint=hint, problems=[Problem(field, message, hint)])
