"""Where the services are that AO stands on, as settings name them."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Bucket:
    """A place in an S3-compatible store."""

    name: str
    prefix: str = ""
    """Without slashes at its ends."""

    def __str__(self) -> str:
        return f"s3://{self.name}/{self.prefix}".rstrip("/")


@dataclass(frozen=True, slots=True)
class S3Access:
    """How S3 is reached; what is None is found as by AWS's own tools: AWS_* variables, roles of the machine."""

    endpoint: str | None
    region: str | None
    key_id: str | None
    secret: str | None = field(repr=False)
