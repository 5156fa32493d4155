"""Raw tables -> the OpenFaith tables: the declarations of the sources' mappings as set-based SQL, the same for all.

Belongs here: the SQL of rows, links, edges, custom fields, deletes and restores, and the notes of changes. Does not:
the mapping of any one type (its source's `mapping`), fetching, Dagster.
"""

from openfaith_pipeline.transform.changes import note_everything
from openfaith_pipeline.transform.scope import LARGEST
from openfaith_pipeline.transform.transformation import SOURCES, TABLES, TransformResult, take_turn, transform_org

ENTITIES = TABLES
"""Canonical tables by their asset names, in dependency order."""

__all__ = ["ENTITIES", "LARGEST", "SOURCES", "TransformResult", "note_everything", "take_turn", "transform_org"]
