"""Re-encryption of all stored secrets with the newest key, so that older keys can be discarded."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from psycopg import Connection, sql
from psycopg.rows import tuple_row
from sqlalchemy import Column

from openfaith_pipeline.connections.cipher import Cipher, cipher_from
from openfaith_pipeline.connections.sealed_keys import keys_in_use
from openfaith_pipeline.database import Database
from openfaith_pipeline.database.bookkeeping import ENCRYPTED, METADATA
from openfaith_pipeline.errors import ConfigurationError


@dataclass(frozen=True)
class Reencrypted:
    """Rows of one column. renewed: re-encrypted. current: had the newest key. unopened: keys of undecryptable rows."""

    column: str
    renewed: int
    current: int
    unopened: tuple[str, ...]


def reencrypt(database: Database, cipher: Cipher | None = None) -> list[Reencrypted]:
    """Encrypt all credentials and webhook secrets with the newest key, while syncs and the service use them.

    Each row is a transaction of its own: after an interruption, call it again to continue.
    cipher: with other keys than those of the settings.
    """
    cipher = cipher or cipher_from(database.settings)
    with database.connect(autocommit=True) as connection:
        return [_reencrypt_column(connection, cipher, column) for column in _encrypted_columns()]


def take_over(database: Database, keys: tuple[str, ...]) -> None:
    """Encrypt the credentials of a restored backup with the key in use here, unless all of its keys are in use.

    keys: of the backup.
    """
    known = keys_in_use(database.settings) or keys[:1]
    if set(keys) - set(known):
        reencrypt(database, Cipher(tuple(dict.fromkeys((*known, *keys)))))


def _encrypted_columns() -> Iterator[Column[Any]]:
    for table in METADATA.sorted_tables:
        yield from (column for column in table.columns if column.info.get("is_encrypted") == ENCRYPTED["is_encrypted"])


def _reencrypt_column(connection: Connection[Any], cipher: Cipher, column: Column[Any]) -> Reencrypted:
    outcomes: dict[str, list[str]] = {"renewed": [], "current": [], "unopened": []}
    for key in _keys(connection, column):
        outcomes[_reencrypt_row(connection, cipher, column, key)].append(" ".join(map(str, key)))
    return Reencrypted(
        f"{column.table.schema}.{column.table.name}.{column.name}",
        len(outcomes["renewed"]),
        len(outcomes["current"]),
        tuple(outcomes["unopened"]),
    )


def _reencrypt_row(connection: Connection[Any], cipher: Cipher, column: Column[Any], key: tuple[Any, ...]) -> str:
    with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute(_statement(_READ, column), key).fetchone()
        if row is None or row[0] is None:
            return "current"  # gone meanwhile
        try:
            renewed = cipher.renew(row[0])
        except ConfigurationError:
            return "unopened"
        if renewed is None:
            return "current"
        cursor.execute(_statement(_WRITE, column), (renewed, *key))
        return "renewed"


_READ: Final = sql.SQL("SELECT {column} FROM {table} WHERE {key} FOR UPDATE")
_WRITE: Final = sql.SQL("UPDATE {table} SET {column} = %s WHERE {key}")


def _statement(form: sql.SQL, column: Column[Any]) -> sql.Composed:
    key = sql.SQL(" AND ").join(sql.SQL("{} = %s").format(name) for name in _key_columns(column))
    return form.format(column=sql.Identifier(column.name), table=_table(column), key=key)


def _keys(connection: Connection[Any], column: Column[Any]) -> list[tuple[Any, ...]]:
    query = sql.SQL("SELECT {key} FROM {table} WHERE {column} IS NOT NULL ORDER BY {key}").format(
        key=sql.SQL(", ").join(_key_columns(column)), table=_table(column), column=sql.Identifier(column.name)
    )
    with connection.cursor(row_factory=tuple_row) as cursor:
        return cursor.execute(query).fetchall()


def _key_columns(column: Column[Any]) -> list[sql.Identifier]:
    return [sql.Identifier(each.name) for each in column.table.primary_key]


def _table(column: Column[Any]) -> sql.Identifier:
    return sql.Identifier(str(column.table.schema), column.table.name)
