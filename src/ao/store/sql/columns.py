"""What all tables of the schema are made of."""

from sqlalchemy import BigInteger, Column, Integer, MetaData, Text, TextClause, text

metadata = MetaData(naming_convention={"ix": "%(table_name)s_%(column_0_N_name)s", "pk": "%(table_name)s_pkey"})


_TEXT = Text().with_variant(Text(collation="C"), "postgresql")
"""Bytewise order everywhere: what SQLite does, and what keeps ids in the order of their creation."""


def text_column(name: str, *, key: bool = False, null: bool = False, default: str | None = None) -> Column[str]:
    """`default` is for columns that an older release does not know: it writes to the same table."""
    return Column(name, _TEXT, primary_key=key, nullable=null, server_default=default)


def int_column(name: str, *, key: bool = False, null: bool = False, default: int | None = None) -> Column[int]:
    given = _number(default)
    return Column(name, BigInteger, primary_key=key, nullable=null, autoincrement=False, server_default=given)


def small_column(name: str, *, null: bool = False, default: int | None = None) -> Column[int]:
    return Column(name, Integer, nullable=null, server_default=_number(default))


def _number(default: int | None) -> TextClause | None:
    return None if default is None else text(str(default))
