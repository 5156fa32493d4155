"""Alembic's environment and the migration files; raw and staging tables are aligned by `alignment.py` instead."""
