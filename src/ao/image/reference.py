"""Names of images: `[registry[:port]/]path[:tag]`."""

import re
from dataclasses import dataclass

from ao.domain.errors import UsageError

_NAME = re.compile(
    r"(?:(?P<host>[A-Za-z0-9.-]+(?::\d+)?|\[[0-9a-fA-F:]+\](?::\d+)?)/)?"
    r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*"
)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


@dataclass(frozen=True, slots=True)
class Reference:
    name: str
    tag: str

    @classmethod
    def parse(cls, text: str, default_tag: str) -> "Reference":
        """Raises `UsageError`."""
        head, slash, last = text.rpartition("/")
        path, colon, tag = last.partition(":")
        name = head + slash + path
        if _NAME.fullmatch(name) is None or (colon and _TAG.fullmatch(tag) is None):
            raise UsageError(
                f"{text!r} cannot be the name of an image",
                hint="write it as ao, ao:test or registry.internal:5000/team/ao:1.0",
            )
        return cls(name, tag or default_tag)

    def with_tag(self, tag: str) -> str:
        return f"{self.name}:{tag}"

    def __str__(self) -> str:
        return self.with_tag(self.tag)
