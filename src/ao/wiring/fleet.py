"""What a process must be told before it shares its work with others."""

from ao.domain.errors import InvalidConfig, Problem
from ao.settings import Settings


def check_fleet(settings: Settings) -> None:
    """Raises InvalidConfig, naming every setting that would keep the processes of a fleet apart."""
    problems = []
    if not settings.on_postgres:
        problems.append(
            Problem(
                "AO_DATABASE_URL",
                "is not set: processes that work together share a Postgres database",
                "AO_DATABASE_URL=postgresql://…; on one machine without one, use `ao up`",
            )
        )
    if settings.origins["AO_BLOBS"] == "default":
        problems.append(
            Problem(
                "AO_BLOBS",
                "is not set: a worker has to see what a server was sent",
                "name a directory that all of them mount, or s3://bucket/prefix",
            )
        )
    if settings.secrets_key is None:
        problems.append(
            Problem(
                "AO_SECRETS_KEY",
                "is not set: a worker could not open the secrets that a server has sealed",
                "the same for all; make one with `openssl rand -base64 32`",
            )
        )
    if problems:
        first = problems[0]
        raise InvalidConfig(
            f"{first.field} {first.message}" if len(problems) == 1 else f"{len(problems)} settings are missing",
            hint=first.hint if len(problems) == 1 else "docs/fleet.md shows a whole set",
            problems=problems,
        )
