"""Fixtures that several kinds of tests use."""

import signal

import pytest

# Shells ignore it for what they start in the background, and every process below would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

pytest.register_assert_rewrite("ao.testing.store_contract", "ao.testing.bus_contract")

from tests.browser import browser, chromium  # noqa: E402  (after the registration)
from tests.databases import (  # noqa: E402  (after the registration)
    bucket,
    empty_postgres,
    harness,
    own_redis,
    pooled,
    postgres_server,
    postgres_template,
    postgres_url,
    redis_binary,
    redis_server,
    redis_with,
    s3_server,
)
from tests.docker import base_image, docker_engine  # noqa: E402  (after the registration)

__all__ = [
    "base_image",
    "browser",
    "bucket",
    "chromium",
    "docker_engine",
    "empty_postgres",
    "harness",
    "own_redis",
    "pooled",
    "postgres_server",
    "postgres_template",
    "postgres_url",
    "redis_binary",
    "redis_server",
    "redis_with",
    "s3_server",
]
