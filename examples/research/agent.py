"""Reads sources one after the other, compares them and writes a report; every part is a step."""

import re
import time
from collections import Counter
from pathlib import Path
from typing import Any

from ao_runner import span, step

SOURCES = Path(__file__).parent / "data"
WORD = re.compile(r"[a-z]{5,}")


def read(name: str, seconds: float) -> dict[str, Any]:
    print(f"reading {name}", flush=True)
    time.sleep(seconds)
    text = (SOURCES / name).read_text(encoding="utf-8").lower()
    return {"name": name, "words": Counter(WORD.findall(text)).most_common(20)}


def compare(notes: list[dict[str, Any]]) -> list[str]:
    """Words that most sources have in common."""
    print("comparing", flush=True)
    seen = Counter(word for note in notes for word, _ in note["words"])
    return [word for word, count in sorted(seen.items()) if count > len(notes) / 2]


def research(request: dict[str, Any]) -> dict[str, Any]:
    names = step.run("plan", lambda: sorted(path.name for path in SOURCES.glob("*.md")))
    with span("reading"):
        notes = [step.run("read", read, name, request.get("seconds", 0.0), key=name) for name in names]
    return {"sources": len(notes), "common": step.run("compare", compare, notes, retries=2)}
