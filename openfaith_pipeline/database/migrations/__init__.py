"""Alembic's environment and migration files; raw and staging tables are aligned by `alignment.py` instead."""
