"""The churches themselves, with the zone in which their local times are given."""

from typing import Final

from openfaith_pipeline.catalog.view import View

ORG_ID: Final = "The church; see `churches`."

# Check-Ins is left out: it gives `Eastern Time (US & Canada)` where the others give `America/New_York`
# (github.com/planningcenter/developers/issues/1235). A name that Postgres does not know would fail every query.
# Postgres reads its zones from files, which takes 50 ms: once for all churches, not once for each.
_CHURCHES: Final = """
SELECT org.org_id, org.name AS church, coalesce(zone.name, 'UTC') AS time_zone
FROM sync.orgs AS org
LEFT JOIN (
    SELECT DISTINCT ON (named.org_id) named.org_id, known.name
    FROM (
        SELECT org_id, 1 AS place, time_zone FROM pco_people.organization WHERE _deleted_at IS NULL
        UNION ALL
        SELECT org_id, 2, time_zone FROM pco_calendar.organization WHERE _deleted_at IS NULL
        UNION ALL
        SELECT org_id, 3, time_zone FROM pco_services.organization WHERE _deleted_at IS NULL
        UNION ALL
        SELECT org_id, 4, time_zone FROM pco_groups.organization WHERE _deleted_at IS NULL
        UNION ALL
        SELECT org_id, 5, time_zone FROM pco_giving.organization WHERE _deleted_at IS NULL
    ) AS named
    JOIN pg_catalog.pg_timezone_names AS known ON known.name = named.time_zone
    ORDER BY named.org_id, named.place
) AS zone ON zone.org_id = org.org_id
"""

CHURCHES: Final = View(
    name="churches",
    comment="The churches that are, or were, connected.",
    sql=_CHURCHES,
    columns={
        "org_id": "The church's id, `org_id` in every other view.",
        "church": "Its name.",
        "time_zone": "The zone of its local times, as set in Planning Center; UTC where that is not known.",
    },
)
