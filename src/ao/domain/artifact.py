"""The release artifact: an OCI artifact manifest whose digest names the release.

Config blob: the resolved configuration. Layers: one uncompressed tar per part that is not empty, in the order
of `Part`, and the lock as text. Nothing in it tells time, host or builder.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import rfc8785

from ao.domain.agent_config import AgentConfig
from ao.domain.errors import InternalError
from ao.ids import Digest

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
ARTIFACT_TYPE = "application/vnd.ao.release.v1"
CONFIG_TYPE = "application/vnd.ao.release.config.v1+json"
PART_TYPE = "application/vnd.ao.release.part.v1.tar"
LOCK_TYPE = "application/vnd.ao.release.lock.v1+text"
PART_ANNOTATION = "ao.part"

CONFIG_FILE = "ao.toml"
"""Not part of the code: what it says is in the config blob, so a comment in it changes no digest."""
MODELS_FILE = ".ao/models.json"
TOOLS_FILE = ".ao/tools.json"
LOCK_FILE = ".ao/requirements.lock"


class Part(StrEnum):
    CODE = "code"
    MODELS = "models"
    PROMPTS = "prompts"
    TOOLS = "tools"
    DATA = "data"
    LOCK = "lock"


@dataclass(frozen=True, slots=True)
class Blob:
    digest: Digest
    size: int

    @classmethod
    def of(cls, content: bytes) -> Self:
        return cls(Digest("sha256:" + hashlib.sha256(content).hexdigest()), len(content))


@dataclass(frozen=True, slots=True)
class Manifest:
    config: Blob
    parts: Mapping[Part, Blob]

    def to_bytes(self) -> bytes:
        layers: list[object] = [
            {
                "mediaType": LOCK_TYPE if part is Part.LOCK else PART_TYPE,
                "digest": self.parts[part].digest,
                "size": self.parts[part].size,
                "annotations": {PART_ANNOTATION: part.value},
            }
            for part in Part
            if part in self.parts
        ]
        return canonical_json(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST_TYPE,
                "artifactType": ARTIFACT_TYPE,
                "config": {
                    "mediaType": CONFIG_TYPE,
                    "digest": self.config.digest,
                    "size": self.config.size,
                },
                "layers": layers,
            }
        )

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        try:
            data = json.loads(content)
            if data["artifactType"] != ARTIFACT_TYPE:
                raise ValueError(data["artifactType"])
            parts = {Part(layer["annotations"][PART_ANNOTATION]): _blob(layer) for layer in data["layers"]}
            return cls(_blob(data["config"]), parts)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise InternalError("a blob that should be a release manifest is not one") from error

    @staticmethod
    def is_one(content: bytes) -> bool:
        """Whether bytes start as every manifest does: RFC 8785 sorts the keys."""
        return content.startswith(f'{{"artifactType":"{ARTIFACT_TYPE}"'.encode())

    def parts_json(self) -> str:
        """JSON: part → {digest, size}."""
        sizes = {part.value: {"digest": b.digest, "size": b.size} for part, b in self.parts.items()}
        return canonical_json(sizes).decode()

    def blobs(self) -> Sequence[Digest]:
        return [self.config.digest, *(blob.digest for blob in self.parts.values())]


def _blob(descriptor: Mapping[str, object]) -> Blob:
    digest, size = descriptor["digest"], descriptor["size"]
    if not isinstance(digest, str) or not isinstance(size, int):
        raise TypeError("descriptor")
    return Blob(Digest(digest), size)


def canonical_json(value: object) -> bytes:
    """RFC 8785: one spelling for equal values. NaN, infinities and integers beyond 2⁵³ are a ValueError."""
    return rfc8785.dumps(value)  # type: ignore[arg-type]


def config_blob(config: AgentConfig) -> bytes:
    return canonical_json(config.model_dump(mode="json"))


def models_file(config: AgentConfig) -> bytes | None:
    """The content of `MODELS_FILE`; None without model pins."""
    return canonical_json(config.models) if config.models else None


def tools_file(config: AgentConfig) -> bytes | None:
    """The content of `TOOLS_FILE`: permissions, each list sorted; None when nothing is said."""
    rules = {"allow": config.tools.allow, "deny": config.tools.deny, "ask": config.tools.ask}
    return (
        canonical_json({key: sorted(set(names)) for key, names in rules.items()})
        if any(rules.values())
        else None
    )
