"""Tenants: their names, settings, turns and status.

Belongs here: questions about an org as a whole.
Does not: its connection to a source (`connections`), its records (`load`).
"""
