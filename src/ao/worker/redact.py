"""Keeps the values of secrets out of everything that is written down."""

import json
import re
from collections.abc import Iterable

MARK = "[secret]"
SHORTEST = 4
"""Shorter values would redact ordinary words."""


class Redactor:
    """Replaces secret values in text, also as they look in a JSON or Python literal. Multi-line values are
    also looked for line by line."""

    def __init__(self, values: Iterable[str]) -> None:
        lines = {part for value in values for part in (value, *value.splitlines())}
        spelt = {form for part in lines for form in (part, json.dumps(part)[1:-1], repr(part)[1:-1])}
        self._parts = sorted((part for part in spelt if len(part) >= SHORTEST), key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, self._parts))) if self._parts else None

    def __call__(self, text: str) -> str:
        return self._pattern.sub(MARK, text) if self._pattern else text

    def beginning(self, text: str) -> str:
        """The same for text that was cut off behind: a secret may have been cut in two."""
        text = self(text)
        begun = [
            size
            for part in self._parts
            for size in range(min(len(part) - 1, len(text)), SHORTEST - 1, -1)
            if text.endswith(part[:size])
        ]
        return text[: -max(begun)] + MARK if begun else text

    def value(self, value: object) -> object:
        """The same for every text in a JSON value, keys included."""
        if self._pattern is None:
            return value
        if isinstance(value, str):
            return self(value)
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            return {self(str(key)): self.value(item) for key, item in value.items()}
        return value


NOTHING = Redactor(())
"""For runs without secrets."""
