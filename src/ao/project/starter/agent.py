"""An agent that needs no API key and no package: it reads a text and reports what is in it.

Replace the stages by your own. What is printed is the run's log, live; what `main` returns is the result.
"""

import os
import re
from collections import Counter
from typing import Any

SAMPLE = (
    "A release is a bundle with a name. A run is one use of it. "
    "When a run fails, it is tried again, and nothing of the first try is left in the way of the second."
)
COMMON = {"a", "an", "and", "in", "is", "it", "of", "the", "to", "with"}


def main(input: dict[str, Any]) -> dict[str, Any]:
    print(f"attempt {os.environ.get('AO_ATTEMPT', '1')}")
    text = str(input.get("text", SAMPLE))

    print(f"reading {len(text)} characters")
    sentences = split_sentences(text)
    words = split_words(text)

    print(f"counting {len(words)} words in {len(sentences)} sentences")
    counts = Counter(word for word in words if word not in COMMON)

    print("writing the report")
    return {
        "sentences": len(sentences),
        "words": len(words),
        "top_words": [word for word, _ in counts.most_common(int(input.get("top", 3)))],
        "longest_sentence": max(sentences, key=len, default=""),
    }


def split_sentences(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"(?<=[.!?])\s+", text) if part.strip()]


def split_words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())
