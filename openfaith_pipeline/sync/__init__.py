"""The use cases: an attempt at a sync, its results, plans, sweeps, deletion proofs, rollback and maintenance.

Belongs here: the order in which reading, staging, publishing and undoing happen. Does not: SQL on rows (`load`), HTTP
or paging (a source's room), Dagster (`defs`).
"""
