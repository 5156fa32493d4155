"""`GET /metrics` for Prometheus: figures of the whole installation, read from Postgres.

Each process of the service reports the same gauges. Counters begin at zero in each process, as Prometheus expects, and
count the writes of every process of the installation since. No series is of one org.
"""
