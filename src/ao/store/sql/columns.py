"""What all tables of the schema are made of."""

from sqlalchemy import BigInteger, Column, Integer, MetaData, Text

metadata = MetaData(naming_convention={"ix": "%(table_name)s_%(column_0_N_name)s", "pk": "%(table_name)s_pkey"})


_TEXT = Text().with_variant(Text(collation="C"), "postgresql")
"""Bytewise order everywhere: what SQLite does, and what keeps ids in the order of their creation."""


def text_column(name: str, *, key: bool = False, null: bool = False) -> Column[str]:
    return Column(name, _TEXT, primary_key=key, nullable=null)


def int_column(name: str, *, key: bool = False, null: bool = False) -> Column[int]:
    return Column(name, BigInteger, primary_key=key, nullable=null, autoincrement=False)


def small_column(name: str, *, null: bool = False) -> Column[int]:
    return Column(name, Integer, nullable=null)
