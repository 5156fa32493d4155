"""Backups: a database written to one file, and brought back from it into this server or another."""
