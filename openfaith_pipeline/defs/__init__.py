"""Dagster definitions: assets, checks, partitions, resources, sensors, jobs, and the set-up of Dagster's processes.

They declare assets, when they run and what a run reports. The work of a sync is in `sync`, `transform` and `checks`;
nothing here contains SQL, HTTP or paging.
"""
