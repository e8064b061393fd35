"""The life of a deployment: an immutable, numbered version of an agent."""

from enum import StrEnum


class DeploymentStatus(StrEnum):
    BUILDING = "building"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Pointer(StrEnum):
    """Names in an environment that say which version is meant; history is append-only."""

    STABLE = "stable"
    LAST_GOOD = "last_good"
    CANDIDATE = "candidate"


DEFAULT_ENVIRONMENT = "prod"
