"""Postgres: the embedded server or a configured one, its tables, and their migrations.

Belongs here: connections, definitions of tables, and the names of psycopg's errors.
Does not: statements on an org's data.
"""

from openfaith_pipeline.database.connection import Database
from openfaith_pipeline.database.opening import open_database

__all__ = ["Database", "open_database"]
