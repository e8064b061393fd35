"""Checking an entrypoint without executing anything: the module's source is parsed, not imported."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from ao.project.nearest import did_you_mean
from ao.project.wording import Finding

_FUNCTION = re.compile(r"^[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*$")
_PATH = ("entrypoint",)
MAX_SOURCE_BYTES = 1 << 20
"""A larger module is taken as it is."""


def kind(entrypoint: str) -> Literal["function", "script"]:
    return "function" if ":" in entrypoint else "script"


def check(entrypoint: str, root: Path) -> Iterator[Finding]:
    if kind(entrypoint) == "script":
        yield from _script(entrypoint, root)
        return
    if not _FUNCTION.match(entrypoint):
        yield Finding(
            _PATH,
            f"entrypoint {entrypoint!r} is not a function in a module",
            'write "module:function", such as "agent:main", or the name of a script, such as "agent.py"',
        )
        return
    module, function = entrypoint.split(":")
    file = _module_file(module, root)
    if file is None:
        yield _no_module(module, function, root)
        return
    yield from _function(file, function, root)


def _script(entrypoint: str, root: Path) -> Iterator[Finding]:
    file = root / entrypoint
    if not entrypoint.endswith(".py"):
        hint = 'give "module:function" or a script that ends with .py; for anything else use `command`'
        yield Finding(_PATH, f"entrypoint {entrypoint!r} is neither a function nor a Python script", hint)
    elif entrypoint.startswith("/") or ".." in Path(entrypoint).parts:
        yield Finding(_PATH, f"entrypoint {entrypoint!r} is not in the project")
    elif not file.is_file():
        scripts = (path.relative_to(root).as_posix() for path in _modules(root))
        yield Finding(_PATH, f"there is no file {entrypoint}", did_you_mean(entrypoint, scripts))
    else:
        _, problem = _parse(file, root)
        if problem:
            yield problem


def _module_file(module: str, root: Path) -> Path | None:
    base = root.joinpath(*module.split("."))
    for file in (base.with_name(base.name + ".py"), base / "__init__.py"):
        if file.is_file():
            return file
    return None


def _no_module(module: str, function: str, root: Path) -> Finding:
    wanted = module.replace(".", "/") + ".py"
    names = [".".join(path.relative_to(root).with_suffix("").parts) for path in _modules(root)]
    near = did_you_mean(module, names)
    if not near and names:
        near = f"the project has {', '.join(sorted(names)[:5])}"
    return Finding(_PATH, f"there is no {wanted} for entrypoint {module}:{function}", near)


def _modules(root: Path) -> list[Path]:
    """Some Python files near the top."""
    return [*sorted(root.glob("*.py"))[:200], *sorted(root.glob("*/*.py"))[:200]]


def _function(file: Path, function: str, root: Path) -> Iterator[Finding]:
    tree, problem = _parse(file, root)
    if problem:
        yield problem
    if tree is None:
        return
    names, has_star = _top_level(tree)
    name = function.partition(".")[0]
    if name not in names and not has_star and "__getattr__" not in names:
        shown = file.relative_to(root).as_posix()
        near = did_you_mean(name, names) or _list(names)
        yield Finding(_PATH, f"{shown} has no {name} at its top level", near)


def _list(names: set[str]) -> str:
    public = sorted(name for name in names if not name.startswith("_"))
    return f"it has {', '.join(public[:8])}" if public else "it defines nothing"


def _parse(file: Path, root: Path) -> tuple[ast.Module | None, Finding | None]:
    shown = file.relative_to(root).as_posix()
    if file.stat().st_size > MAX_SOURCE_BYTES:
        return None, None
    try:
        return ast.parse(file.read_bytes(), shown), None
    except SyntaxError as error:
        where = f"{shown}, line {error.lineno}" if error.lineno else shown
        return None, Finding(_PATH, f"{where}: {error.msg}", (error.text or "").strip()[:120])
    except ValueError as error:
        return None, Finding(_PATH, f"{shown} is not Python source: {error}")
    except (RecursionError, MemoryError):
        return None, Finding(_PATH, f"{shown} is nested too deeply")


def _top_level(tree: ast.Module) -> tuple[set[str], bool]:
    """Names that the module binds, also inside `if`, `try` and `with`; whether it imports with a star."""
    names: set[str] = set()
    has_star = False
    pending: list[ast.stmt] = list(tree.body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            has_star = has_star or any(alias.name == "*" for alias in node.names)
            names.update((alias.asname or alias.name).split(".")[0] for alias in node.names)
            continue
        names.update(_bound(node))
        pending.extend(child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt))
        for part in ast.iter_child_nodes(node):
            if isinstance(part, ast.ExceptHandler | ast.match_case):
                pending.extend(part.body)
    return names, has_star


def _bound(node: ast.stmt) -> Iterator[str]:
    """Names that one simple statement, or the head of a compound one, assigns."""
    for part in ast.iter_child_nodes(node):
        if isinstance(part, ast.expr | ast.withitem):
            for inner in ast.walk(part):
                if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                    yield inner.id
