"""Postgres: the embedded server or a configured one, our tables in it, and their migrations."""

from openfaith_pipeline.database.connection import Database
from openfaith_pipeline.database.opening import open_database

__all__ = ["Database", "open_database"]
