"""The three kinds of entrypoints: a function, a script, a command."""

from __future__ import annotations

import os
import sys
import types

from ao_runner import failures, protocol, results
from ao_runner.task import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from ao_runner.task import Task

_PLAIN = frozenset({type(None), bool, int, float, str, list, dict})
"""There is nothing to wait for in these."""
_VARIABLE_ARGUMENTS = 0x04
"""co_flags of a function with *args."""


def run_function(task: Task) -> bytes:
    function = load_function(task)
    return results.last(task, None) if function is None else call_function(function, task)


def load_function(task: Task) -> Callable[..., Any] | None:
    """Import the agent; None when that ends in `sys.exit(0)`. Raises `Failure`."""
    _enter_python(task, task.code_dir)
    sys.argv = [task.target]
    with failures.told(task):
        return _load(task)
    return None


def call_function(function: Callable[..., Any], task: Task) -> bytes:
    value: Any = None
    with failures.told(task):
        arguments = _arguments(function, task)
        task.send_frame(protocol.STARTED)
        value = function(*arguments)
        if type(value) not in _PLAIN:
            value = _drain(value, task)
    return results.last(task, value)


def run_script(task: Task) -> bytes:
    path = os.path.join(task.code_dir, task.target)
    _enter_python(task, os.path.dirname(path))
    sys.argv = [path]
    module = types.ModuleType("__main__")
    module.__file__ = path
    module.__dict__["__builtins__"] = __builtins__
    sys.modules["__main__"] = module
    with failures.told(task):
        try:
            with open(path, "rb") as file:
                source = file.read()
        except FileNotFoundError:
            raise Failure("error", "FileNotFoundError", "there is no script %s" % task.target) from None
        code = compile(source, path, "exec", dont_inherit=True)
        task.send_frame(protocol.STARTED)
        exec(code, module.__dict__)
    return results.from_file(task)


def run_command(task: Task) -> bytes:
    from ao_runner.command import run  # noqa: PLC0415 - functions do not need it

    return run(task)


RUNNERS: dict[str, Callable[[Task], bytes]] = {
    "function": run_function,
    "script": run_script,
    "command": run_command,
}


def _enter_python(task: Task, first: str) -> None:
    """What starting Python without -S does, and the project in front."""
    import site  # noqa: PLC0415 - here it runs the environment's start-up code

    with failures.told(task):
        site.main()
    sys.path.insert(0, first)
    if first != task.code_dir:
        sys.path.insert(1, task.code_dir)


def _load(task: Task) -> Callable[..., Any]:
    module_name, _, path = task.target.partition(":")
    __import__(module_name)
    value: Any = sys.modules[module_name]
    for name in path.split("."):
        try:
            value = getattr(value, name)
        except AttributeError:
            raise failures.no_such_function(task.target, sys.modules[module_name]) from None
    if not callable(value):
        message = "%s is a %s, not a function" % (task.target, type(value).__name__)
        raise Failure("error", "TypeError", message, permanent=True)
    return value  # type: ignore[no-any-return]


def _arguments(function: Callable[..., Any], task: Task) -> list[Any]:
    """The input, unless the function takes nothing."""
    code = getattr(function, "__code__", None)
    if code is None:
        code = getattr(getattr(function, "__func__", None) or type(function).__call__, "__code__", None)
        count = code.co_argcount - 1 if code is not None else 1
    else:
        count = code.co_argcount
    if code is not None and count == 0 and not code.co_flags & _VARIABLE_ARGUMENTS:
        return []
    return [protocol.parse(task.input)]


def _drain(value: Any, task: Task) -> Any:
    """The value itself; what an awaitable gives; or what a generator returns, with each of its values sent."""
    if hasattr(value, "__anext__"):
        import asyncio  # noqa: PLC0415 - 30 ms that others need not wait for

        return asyncio.run(_drain_async(value, task))
    if hasattr(value, "__await__"):
        import asyncio  # noqa: PLC0415

        return asyncio.run(_await(value))
    if not isinstance(value, types.GeneratorType):
        return value
    while True:
        try:
            partial = next(value)
        except StopIteration as end:
            return end.value
        results.partial(task, partial)


async def _await(value: Any) -> Any:
    return await value


async def _drain_async(values: Any, task: Task) -> None:
    async for value in values:
        results.partial(task, value)
