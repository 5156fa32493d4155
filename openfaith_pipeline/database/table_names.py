"""The names of a stream's raw table and staging table in SQL."""

from typing import Final

from psycopg import sql

from openfaith_pipeline.catalog.stream import Stream

STAGING_SCHEMA: Final = "staging"


def raw_name(stream: Stream) -> sql.Identifier:
    """The stream's raw table, `<adapter>_people.emails`."""
    return sql.Identifier(stream.schema, stream.short_name)


def staging_table_name(stream: Stream) -> str:
    """The stream's staging table within its schema, `people__emails`."""
    return f"{stream.product.value}__{stream.short_name}"


def staging_name(stream: Stream) -> sql.Identifier:
    """The stream's staging table, `staging.people__emails`."""
    return sql.Identifier(STAGING_SCHEMA, staging_table_name(stream))
