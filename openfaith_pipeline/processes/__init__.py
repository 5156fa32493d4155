"""Child processes and signals: services are kept running, and end with the process that started them.

Nothing here knows the purpose of a process. Postgres is started by `database/postmaster`: it outlives its starter.
"""
