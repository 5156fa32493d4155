"""Workflows: typed, durable operations on an org, requested by name. docs/adding-a-workflow.md shows how to add one.

`definition` has their parts, `registry` lists them, `submission` stores requests for them, `execution` runs their
activities. Belongs here: the steps of an operation and their undoing. Does not: Dagster, which drives them.
"""
