"""Workflows: typed, durable operations on an org, requested by name. docs/adding-a-workflow.md shows how to add one.

`definition` has their parts, `registry` lists them, `submission` stores requests for them, `execution` runs their
activities. Dagster drives them, but nothing here knows Dagster.
"""
