"""Exceptions of an agent as messages that help: one line, a traceback without the runner, a hint."""

from __future__ import annotations

import errno
import os
import sys

from ao_runner import Permanent, Retry
from ao_runner.task import Failure
from ao_runner.verdicts import decisive, leaves, permanent_by

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType, TracebackType
    from typing import Any, Iterator

    from ao_runner.task import Task

_OWN = os.path.dirname(__file__) + os.sep
_MACHINERY = ("<frozen importlib", "<frozen runpy", os.path.join("importlib", "__init__.py"))
_DISTRIBUTIONS = {
    "PIL": "pillow",
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "fitz": "pymupdf",
    "git": "gitpython",
    "jwt": "pyjwt",
    "pptx": "python-pptx",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
_NO_ROUTE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EAFNOSUPPORT)
_ERRNO_HINTS = {
    errno.EROFS: "The release is read-only: write to the directory AO_WORK_DIR or to /tmp.",
    errno.ENOSPC: "The private directories are full; `[resources]` in ao.toml sets their size.",
    errno.EFBIG: "The file is larger than the private directories may be.",
    errno.EMFILE: "Too many open files at once for one process.",
    errno.EAGAIN: "The limit of processes and threads was reached; `pids` under `[resources]` sets it.",
    errno.ENOMEM: "The memory limit was reached; `memory` under `[resources]` sets it.",
}


class told:  # noqa: N801 - reads as `with told(task)`
    """Turns whatever the agent's code raises into a `Failure`. `sys.exit(0)` is an end like any other."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, _traceback: object) -> bool:
        error = self._task.diverged or error
        if error is None or isinstance(error, Failure):
            return False
        if isinstance(error, SystemExit):
            _leave_by_exit(error)
            return True
        raise _failure(error, self._task) from None


def no_such_function(target: str, module: ModuleType) -> Failure:
    import difflib  # noqa: PLC0415 - only for this error

    wanted = target.partition(":")[2]
    names = [name for name, value in vars(module).items() if callable(value) and not name.startswith("_")]
    close = difflib.get_close_matches(wanted, names, 1)
    hint = "Did you mean %s:%s?" % (module.__name__, close[0]) if close else "`entrypoint` in ao.toml names it."
    message = "%s has no function %s" % (module.__name__, wanted)
    return Failure("error", "AttributeError", message, hint=hint, permanent=True)


def _leave_by_exit(exit: SystemExit) -> None:
    if exit.code is None or exit.code == 0:
        return
    code = exit.code if isinstance(exit.code, int) else 1
    if code != exit.code:
        print(exit.code, file=sys.stderr)
    code &= 0xFF
    if code:
        fields = {"exit_code": code, "step": _step_of(exit)}
        raise Failure("exit", "SystemExit", "the agent exited with status %d" % code, **fields) from None


def _failure(error: BaseException, task: Task) -> Failure:
    import traceback  # noqa: PLC0415 - 8 ms that a success need not wait for

    one, count = decisive(error, task.retries), len(leaves(error))
    line = traceback.format_exception_only(type(one), one)[-1].strip()
    rule = permanent_by(error, task.retries)
    shown = [error, one] if count > 1 else [one]
    fields: dict[str, Any] = {
        "traceback": "\n".join(
            "".join(traceback.format_exception(type(each), each, _agent_frames(each.__traceback__)))
            for each in shown
        ),
        "hint": _hint(one, task),
        "permanent": bool(rule),
        "step": _step_of(one) or _step_of(error),
    }
    if rule and not isinstance(one, Permanent):
        fields["hint"] = fields["hint"] or "not tried again: `[retries] permanent` has %s" % rule
    if isinstance(one, Retry):
        fields["retry_after"] = one.after
    message = line if count == 1 else "%s (and %d more)" % (line, count - 1)
    return Failure("error", type(one).__qualname__, message, **fields)


def _agent_frames(start: TracebackType | None) -> TracebackType | None:
    """The traceback from the agent's first frame on; all of it when there is none (a syntax error, say)."""
    frame = start
    while frame is not None:
        name = frame.tb_frame.f_code.co_filename
        if not name.startswith(_OWN) and not any(part in name for part in _MACHINERY):
            return frame
        frame = frame.tb_next
    return None


def _hint(error: BaseException, task: Task) -> str:
    hints = (_hint_of_one(link, task) for link in _chain(error))
    return next((hint for hint in hints if hint), "")


def _step_of(error: BaseException) -> str:
    """Path of the step that it came from; empty when it came from none."""
    return next((link.__ao_step__ for link in _chain(error) if hasattr(link, "__ao_step__")), "")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it was raised from, or after."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


def _hint_of_one(error: BaseException, task: Task) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name:
        top = error.name.partition(".")[0]
        if top == task.target.partition(":")[0].partition(".")[0]:
            return "`entrypoint` in ao.toml is module:function, with the module's file in the project."
        return "Add %s to the requirements and deploy again." % _DISTRIBUTIONS.get(top, top)
    if isinstance(error, MemoryError):
        return _ERRNO_HINTS[errno.ENOMEM]
    if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
        return _ERRNO_HINTS[errno.EAGAIN]
    if not isinstance(error, OSError):
        return ""
    if task.network != "full" and (error.errno in _NO_ROUTE or type(error).__name__ == "gaierror"):
        return _network_hint(task.network)
    if error.errno == errno.EACCES and _in_project(error.filename, task):
        return _ERRNO_HINTS[errno.EROFS]
    return _ERRNO_HINTS.get(error.errno or 0, "")


def _in_project(name: object, task: Task) -> bool:
    return isinstance(name, str) and os.path.abspath(name).startswith(task.code_dir)


def _network_hint(policy: str) -> str:
    if policy == "hosts":
        return (
            "Only the hosts listed under `[sandbox] network` can be reached, through HTTP(S) proxy variables."
        )
    return 'This sandbox has no network; list hosts under `[sandbox] network` in ao.toml, or set it to "full".'
