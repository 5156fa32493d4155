"""Workflows: typed things to do for an org, asked for by name, carried out durably. docs/adding-a-workflow.md has how.

`definition` says what one is, `registry` which there are, `submission` keeps what was asked for, `execution` carries
activities out. Dagster runs them, and nothing here knows it.
"""
