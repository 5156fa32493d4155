"""Child processes and signals: keeping processes running, and ending them and ourselves.

Nothing here knows the processes' work. Postgres has its own, `database/postmaster`: it outlives us.
"""
