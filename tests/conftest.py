"""Fixtures that several kinds of tests use."""

import pytest

pytest.register_assert_rewrite("ao.testing.store_contract")

from tests.databases import (  # noqa: E402  (after the registration)
    empty_postgres,
    harness,
    postgres_server,
    postgres_template,
    postgres_url,
)

__all__ = ["empty_postgres", "harness", "postgres_server", "postgres_template", "postgres_url"]
