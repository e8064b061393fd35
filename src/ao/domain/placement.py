"""Where runs may go: what a worker must have, should have, and lends to a run while it goes on.

Runs with an equal `Placement` are one class: they wait together, and workers ask for the classes that they can
serve. Its text is its name.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

MAX_CHARACTERS = 1000
"""Of a placement's text: it is part of keys in the database."""
MAX_LABELS = 32
PATIENCE_SECONDS = 10.0
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?")
_RULE = "up to 63 letters, digits, and . _ / - between them"


def check_label(text: str) -> str:
    """A label's name or value. ValueError otherwise."""
    if not _LABEL.fullmatch(text):
        raise ValueError(f"{text!r} is not a label's name or value: {_RULE}")
    return text


def parse_labels(text: str) -> dict[str, str]:
    """From `gpu=a100,zone=eu`. ValueError otherwise."""
    labels: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = part.partition("=")
        if not equals or not _LABEL.fullmatch(name) or not _LABEL.fullmatch(value):
            raise ValueError(f"has {part!r}, which is not NAME=VALUE with {_RULE}")
        if labels.setdefault(name, value) != value:
            raise ValueError(f"has two values for the label {name}")
    if len(labels) > MAX_LABELS:
        raise ValueError(f"has more than {MAX_LABELS} labels")
    return labels


@dataclass(frozen=True, slots=True)
class Amounts:
    """Of what runs share on a worker."""

    memory: int = 0
    """Bytes."""
    cpu: int = 0
    """Thousandths of a core."""
    gpu: int = 0

    def __add__(self, other: "Amounts") -> "Amounts":
        return Amounts(self.memory + other.memory, self.cpu + other.cpu, self.gpu + other.gpu)

    def __sub__(self, other: "Amounts") -> "Amounts":
        return Amounts(self.memory - other.memory, self.cpu - other.cpu, self.gpu - other.gpu)

    def __mul__(self, count: int) -> "Amounts":
        return Amounts(self.memory * count, self.cpu * count, self.gpu * count)

    def __bool__(self) -> bool:
        return bool(self.memory or self.cpu or self.gpu)

    def times(self, each: "Amounts", limit: int) -> int:
        """How often `each` fits into this; at most `limit`."""
        pairs = ((self.memory, each.memory), (self.cpu, each.cpu), (self.gpu, each.gpu))
        return max(0, min([limit, *(have // need for have, need in pairs if need)]))


NOTHING = Amounts()


@dataclass(frozen=True, slots=True)
class Offer:
    """What a worker has."""

    labels: Mapping[str, str] = field(default_factory=dict)
    amounts: Amounts = NOTHING


ANYTHING = Offer()
"""Of a worker that says nothing of itself: it takes what has no placement."""


@dataclass(frozen=True, slots=True)
class Placement:
    requires: Mapping[str, str] = field(default_factory=dict)
    prefers: Mapping[str, str] = field(default_factory=dict)
    needs: Amounts = NOTHING
    """Kept for the run on its worker while it goes on."""
    patience_us: int = 0
    """So long it is left to workers that have more of what it prefers."""

    def text(self) -> str:
        """Equal placements have equal text."""
        said: dict[str, Any] = {
            "requires": dict(self.requires),
            "prefers": dict(self.prefers),
            "memory": self.needs.memory,
            "cpu": self.needs.cpu,
            "gpu": self.needs.gpu,
            "patience_us": self.patience_us if self.prefers else 0,
        }
        return json.dumps({k: v for k, v in said.items() if v}, separators=(",", ":"), sort_keys=True)

    def lacks(self, offer: Offer) -> Sequence[str]:
        """What a worker has not, whatever it does: `label gpu=a100`, `64 GiB of memory`."""
        missing = [f"label {k}={v}" for k, v in self.requires.items() if offer.labels.get(k) != v]
        sizes = (words for name, words in self.sizes() if _less(offer.amounts, self.needs, name))
        return [*missing, *sizes]

    def sizes(self) -> Sequence[tuple[str, str]]:
        """What it takes of a worker: the amount's name, and in words."""
        pairs = ((name, getattr(self.needs, name)) for name in AMOUNTS)
        return [(name, amount_words(name, amount)) for name, amount in pairs if amount]

    def liking(self, offer: Offer) -> int:
        """How many of the preferred labels a worker has."""
        return sum(offer.labels.get(name) == value for name, value in self.prefers.items())

    def wishes(self) -> str:
        """All that a worker must have: `label gpu=a100 and 64 GiB of memory`."""
        return and_words(self.each_wish())

    def each_wish(self) -> Sequence[str]:
        labels = [f"label {name}={value}" for name, value in self.requires.items()]
        return [*labels, *(words for _, words in self.sizes())]


AMOUNTS = ("memory", "cpu", "gpu")


def _less(have: Amounts, need: Amounts, name: str) -> bool:
    return bool(getattr(have, name) < getattr(need, name))


def amount_words(name: str, amount: int) -> str:
    """`64 GiB of memory`, `1.5 cores`, `2 GPUs`."""
    if name == "memory":
        return f"{memory_words(amount)} of memory"
    if name == "cpu":
        return f"{amount / 1000:g} {'core' if amount == 1000 else 'cores'}"
    return f"{amount} {'GPU' if amount == 1 else 'GPUs'}"


def memory_words(size: int) -> str:
    """`64 GiB`, `512 MiB`."""
    return f"{size / (1 << 30):.4g} GiB" if size >= 1 << 30 else f"{size / (1 << 20):.4g} MiB"


def and_words(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1]))) if words else ""


@lru_cache(maxsize=4096)
def parse(text: str) -> Placement:
    """From `Placement.text`."""
    said = json.loads(text)
    needs = Amounts(said.get("memory", 0), said.get("cpu", 0), said.get("gpu", 0))
    return Placement(said.get("requires", {}), said.get("prefers", {}), needs, said.get("patience_us", 0))


def placement_of(config: Mapping[str, Any], overrides: Mapping[str, Any] | None = None) -> str | None:
    """The text of what an `ao.toml` asks for, with an assistant's overrides; None when any worker will do."""
    said = {**(config.get("placement") or {}), **((overrides or {}).get("placement") or {})}
    resources = {**(config.get("resources") or {}), **((overrides or {}).get("resources") or {})}
    patience = said.get("patience")
    found = Placement(
        said.get("requires") or {},
        said.get("prefers") or {},
        Amounts(said.get("memory") or 0, round((said.get("cpu") or 0) * 1000), resources.get("gpu") or 0),
        round((PATIENCE_SECONDS if patience is None else patience) * 1_000_000),
    )
    return found.text() if found.requires or found.prefers or found.needs else None


@dataclass(frozen=True, slots=True)
class Peer:
    """A worker as the others see it."""

    id: str
    name: str
    offer: Offer
    slots: int
    running: int
    used: Amounts
    """What its runs have taken of the offer."""
    draining: bool = False
    hold: str = ""
    """Why it takes nothing for now; empty: it does."""

    @property
    def takes(self) -> bool:
        return not self.draining and not self.hold

    @property
    def free(self) -> Amounts:
        return self.offer.amounts - self.used

    @property
    def load(self) -> float:
        """The share of its slots that is busy."""
        return self.running / self.slots if self.slots else 1.0

    def could_take(self, placement: Placement) -> bool:
        """It has all that is required, whether it is busy or not."""
        return self.takes and not placement.lacks(self.offer)

    def can_take(self, placement: Placement) -> bool:
        """It could start such a run now."""
        has_room = self.running < self.slots and self.free.times(placement.needs, 1) == 1
        return has_room and self.could_take(placement)


LEAVE_US = 100_000
"""So long a worker leaves a run to those that are as good and less loaded."""
LESS_LOADED = 0.25
"""By so much of its slots another has to be less loaded."""


def leave_us(placement: Placement, me: Peer, peers: Iterable[Peer]) -> int:
    """How old a run has to be before this worker takes it: 0 when no better one has room for it."""
    able = [peer for peer in peers if peer.id != me.id and peer.can_take(placement)]
    liking = placement.liking(me.offer)
    if any(placement.liking(peer.offer) > liking for peer in able):
        return placement.patience_us
    equals = (peer for peer in able if placement.liking(peer.offer) == liking)
    return LEAVE_US if any(peer.load + LESS_LOADED <= me.load for peer in equals) else 0
