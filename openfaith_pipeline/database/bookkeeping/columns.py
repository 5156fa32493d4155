"""The schema's metadata, and the kinds of column that its tables share."""

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Integer,
    MetaData,
    func,
    text,
)

SYNC_SCHEMA: Final = "sync"

METADATA: Final = MetaData(schema=SYNC_SCHEMA)

ENCRYPTED: Final = {"is_encrypted": True}
"""The `info` of columns encrypted with OPENFAITH_ENCRYPTION_KEYS, by which `org reencrypt` finds them."""


def moment(name: str) -> Column[Any]:
    return Column(name, DateTime(timezone=True))


def moment_of_insert(name: str) -> Column[Any]:
    return Column(name, DateTime(timezone=True), nullable=False, server_default=func.now())


def count(name: str, kind: type[Integer] = BigInteger) -> Column[Any]:
    return Column(name, kind, nullable=False, server_default=text("0"))


def one_of(column: str, *values: str) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{column}_is_known")
