"""What changed between two releases, part by part and, in text files, line by line."""

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ao.domain import artifact
from ao.domain.artifact import Part
from ao.ids import Digest
from ao.project.archive import Entry, Kind
from ao.wire.schemas import FileChange, PartDiff

MAX_TEXT_BYTES = 512 << 10
"""Of a file that is compared by lines; a larger one is only said to have changed."""
MAX_DIFF_LINES = 2_000
"""Of one file."""
Change = Literal["added", "removed", "changed"]
Files = Mapping[str, tuple[Entry, bytes]]
_IN_PARTS = {"models": None, "tools": ("allow", "deny", "ask")}
"""Of the configuration: what the diffs of other parts show."""


@dataclass(frozen=True, slots=True)
class PartContent:
    digest: Digest
    files: Files


def part_diff(part: Part, before: PartContent | None, after: PartContent | None) -> PartDiff:
    """The difference of one part; None where a release does not have it."""
    old, new = before.digest if before else None, after.digest if after else None
    if old == new:
        return PartDiff(part=part.value, change="same", before=old, after=new)
    changes = _files(before.files if before else {}, after.files if after else {})
    change = "added" if before is None else "removed" if after is None else "changed"
    return PartDiff(part=part.value, change=change, before=old, after=new, files=changes)


def config_diff(before: bytes, after: bytes) -> PartDiff:
    """The difference of two configurations, without what belongs to the models and tools parts."""
    old, new = _pretty(_own(json.loads(before))), _pretty(_own(json.loads(after)))
    digests = {"before": artifact.Blob.of(before).digest, "after": artifact.Blob.of(after).digest}
    if old == new:
        return PartDiff(part="config", change="same", **digests)
    change = FileChange(path=artifact.CONFIG_FILE, change="changed", diff=_lines("config", old, new))
    return PartDiff(part="config", change="changed", files=[change], **digests)


def _files(before: Files, after: Files) -> list[FileChange]:
    changes = [_change(path, before.get(path), after.get(path)) for path in sorted({*before, *after})]
    return [change for change in changes if change is not None]


def _change(
    path: str, before: tuple[Entry, bytes] | None, after: tuple[Entry, bytes] | None
) -> FileChange | None:
    if before == after:
        return None
    change: Change = "changed" if before and after else "removed" if before else "added"
    old, new = text_of(path, before), text_of(path, after)
    if old is None or new is None:
        return FileChange(path=path, change=change, binary=True)
    diff = _lines(path, old, new)
    if before and after and before[0].executable != after[0].executable:
        diff = f"{'now' if after[0].executable else 'no longer'} executable\n" + diff
    return FileChange(path=path, change=change, diff=diff)


def text_of(path: str, file: tuple[Entry, bytes] | None) -> str | None:
    """The text of a file, empty when it is not there; None when it is binary or too large."""
    if file is None:
        return ""
    entry, content = file
    if entry.kind is Kind.LINK:
        return f"→ {entry.target}\n"
    if len(content) > MAX_TEXT_BYTES or b"\0" in content:
        return None
    if path in (artifact.MODELS_FILE, artifact.TOOLS_FILE):
        return _pretty(json.loads(content))
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _lines(path: str, old: str, new: str) -> str:
    found = difflib.unified_diff(_split(old), _split(new), f"a/{path}", f"b/{path}", lineterm="")
    lines: list[str] = []
    for line in found:
        if len(lines) == MAX_DIFF_LINES:
            lines.append(f"… the rest of the diff is left out after {MAX_DIFF_LINES} lines")
            break
        lines.append(line)
    return "".join(f"{line}\n" for line in lines)


def _split(text: str) -> list[str]:
    """Lines at `\\n` alone; a last line without one says so, as in `diff`."""
    lines = text.split("\n")
    if lines[-1]:
        lines[-1] += "\n\\ No newline at end of file"
    else:
        lines.pop()
    return lines


def _own(config: dict[str, object]) -> dict[str, object]:
    shown = dict(config)
    for key, inner in _IN_PARTS.items():
        section = shown.pop(key, None)
        if inner is not None and isinstance(section, dict):
            shown[key] = {name: value for name, value in section.items() if name not in inner}
    return shown


def _pretty(value: object) -> str:
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
