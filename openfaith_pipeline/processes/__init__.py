"""Child processes and signals: how what we start is kept running, and how it and we end.

Nothing here knows what a process does. Postgres has its own, `database/postmaster`: it outlives us.
"""
