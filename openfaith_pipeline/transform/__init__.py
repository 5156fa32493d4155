"""Raw tables -> the OpenFaith tables: one module for each entity, and set-based SQL that is the same for all.

A new entity is a declaration (`entity.py` says of what) and its place in `registry.py`; links, edges, custom fields,
deletes and restores follow. Nothing here fetches from the source or knows Dagster.
"""

from openfaith_pipeline.transform.changes import note_everything
from openfaith_pipeline.transform.scope import LARGEST
from openfaith_pipeline.transform.transformation import SOURCES, TABLES, TransformResult, take_turn, transform_org

ENTITIES = TABLES
"""Canonical tables by their asset names, in dependency order."""

__all__ = ["ENTITIES", "LARGEST", "SOURCES", "TransformResult", "note_everything", "take_turn", "transform_org"]
