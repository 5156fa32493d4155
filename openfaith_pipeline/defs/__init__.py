"""Dagster: assets, checks, partitions, resources, sensors, jobs, and how its processes are set up.

It says what there is, when it runs and what a run reports. What a sync does is in `sync`, `transform` and `checks`;
nothing here speaks SQL, HTTP or paging.
"""
