"""The mappings of Planning Center's records to OpenFaith: one module for each product, a declaration for each type.

Belongs here: entities, folders, edges, fields, answers and aliases, as `canonical/model.py` has them. Does not: SQL,
and everything derived from a declaration: tables, links, edges between entities, custom fields, docs.
"""

from openfaith_pipeline.planning_center.mapping import people

MODULES = (people,)
"""In the order in which their tables are written."""
