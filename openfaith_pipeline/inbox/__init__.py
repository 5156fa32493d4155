"""Requests from outside, stored in Postgres before they are acknowledged.

Belongs here: storing requests, their status and progress.
Does not: carrying them out; nothing here needs Dagster to be up.
"""
