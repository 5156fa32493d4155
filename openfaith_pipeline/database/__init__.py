"""Postgres: the embedded server or a configured one, its tables, and their migrations."""

from openfaith_pipeline.database.connection import Database
from openfaith_pipeline.database.opening import open_database

__all__ = ["Database", "open_database"]
