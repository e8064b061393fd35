"""The next version of AO, as far as its migrations go."""

import shutil
from pathlib import Path

import pytest

from ao.store.sql import migrate

NOW = migrate.HEAD
NEXT = f"{int(NOW) + 1:04}"


def add_migration(directory: Path, monkeypatch: pytest.MonkeyPatch, body: str, more: str = "") -> None:
    """Be the next version of AO, with one more migration: `body` is its pre part, `more` the rest of it."""
    copy = directory / "migrations"
    shutil.copytree(migrate.MIGRATIONS, copy, ignore=shutil.ignore_patterns("__pycache__"))
    header = f"revision='{NEXT}'\ndown_revision='{NOW}'\n{more}"
    text = f'"""Added."""\nfrom alembic import op\n{header}\ndef upgrade():\n    {body}\n'
    (copy / "versions" / f"{NEXT}_added.py").write_text(text)
    monkeypatch.setattr(migrate, "MIGRATIONS", copy)
    monkeypatch.setattr(migrate, "HEAD", NEXT)
