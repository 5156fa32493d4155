"""The Dagster code location."""

from openfaith_pipeline.defs.location import definitions

defs = definitions()
