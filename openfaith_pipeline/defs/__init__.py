"""Dagster definitions: assets, checks, partitions, resources, sensors, jobs, and the set-up of Dagster's processes.

Belongs here: all that imports Dagster.
Does not: the work of a sync (`sync`, `transform`, `checks`), SQL, HTTP or paging.
"""
