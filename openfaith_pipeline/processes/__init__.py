"""Child processes and signals: keeping processes running, and ending them and ourselves.

Belongs here: supervision. Does not: the processes' work. Postgres has its own, `database/postmaster`: it outlives us.
"""
