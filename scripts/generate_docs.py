"""Writes the pages of docs/ that come from the code: `make generate`. A test fails when one is stale."""

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import doc_ao_toml
import doc_cli
import doc_transitions

DOCS = Path(__file__).resolve().parent.parent / "docs"

PARTS: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "ao-toml.md": {"fields": doc_ao_toml.fields},
    "cli.md": {"commands": doc_cli.commands, "exit-status": doc_cli.exit_status},
    "architecture.md": {"transitions": doc_transitions.diagram},
}
"""Page → the parts of it between `<!-- begin NAME -->` and `<!-- end NAME -->`, and what makes them."""


def rendered(page: str) -> str:
    """The page with its generated parts as they should be."""
    text = (DOCS / page).read_text(encoding="utf-8")
    for name, make in PARTS[page].items():
        pattern = re.compile(rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
        if not pattern.search(text):
            raise ValueError(f"{page} has no part {name}")
        made = make().strip().replace("\\", r"\\")
        text = pattern.sub(rf"\1\n{made}\n\n\2", text)
    return text


def main() -> int:
    for page in PARTS:
        (DOCS / page).write_text(rendered(page), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
