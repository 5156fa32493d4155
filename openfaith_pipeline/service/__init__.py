"""The HTTP service: requests are in Postgres before they are answered, and it needs nothing else to answer.

Belongs here: endpoints, access and pages. Does not: the work that a request starts (`workflows`, Dagster).
"""
