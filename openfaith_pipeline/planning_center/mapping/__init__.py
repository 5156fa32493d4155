"""The mappings of Planning Center's records to OpenFaith: one module for each product, a declaration for each type.

Belongs here: entities, folders, edges, fields, answers and aliases, as `canonical/model.py` has them, and how they
differ from OpenFaith's own plan (`plan`). Does not: SQL, and everything derived from a declaration: tables, links,
edges between entities, custom fields, docs.
"""

from openfaith_pipeline.planning_center.mapping import (
    calendar,
    check_ins,
    giving,
    groups,
    people,
    people_lists,
    people_workflows,
    publishing,
    registrations,
    services,
    services_songs,
    services_teams,
)

MODULES = (
    *(people, people_lists, people_workflows, groups, check_ins, giving, calendar),
    *(services, services_songs, services_teams, registrations, publishing),
)
"""In the order in which their tables are written."""
