"""Requests from outside, stored in Postgres before they are acknowledged. Nothing here needs Dagster to be up."""
