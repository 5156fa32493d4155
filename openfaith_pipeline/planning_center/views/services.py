"""Who serves when, from Services."""

from typing import Final

from openfaith_pipeline.catalog.view import View
from openfaith_pipeline.catalog.words import personal
from openfaith_pipeline.planning_center.views.churches import ORG_ID

# `sort_date` is the church's local time, though it ends in Z (github.com/planningcenter/developers/issues/987).
_SERVING_SCHEDULE: Final = """
SELECT member.org_id, member.plan_id, plan.title AS plan, service_type.name AS service_type,
    coalesce(service.starts_at, (plan.sort_date AT TIME ZONE 'UTC') AT TIME ZONE church.time_zone) AS starts_at,
    coalesce(service.starts_at AT TIME ZONE church.time_zone, plan.sort_date AT TIME ZONE 'UTC') AS starts_at_local,
    team.name AS team, member.team_position_name AS "position", member.person_id,
    coalesce(person.name, server.full_name, member.name) AS person,
    CASE member.status WHEN 'C' THEN 'confirmed' WHEN 'U' THEN 'unconfirmed' WHEN 'D' THEN 'declined'
        ELSE member.status END AS status,
    member.decline_reason
FROM pco_services.plan_people AS member
JOIN pco_services.plans AS plan
    ON plan.org_id = member.org_id AND plan.id = member.plan_id AND plan._deleted_at IS NULL
JOIN {schema}.churches AS church ON church.org_id = member.org_id
LEFT JOIN LATERAL (
    SELECT min(moment.starts_at) AS starts_at FROM pco_services.plan_times AS moment
    WHERE moment.org_id = plan.org_id AND moment.plan_id = plan.id AND moment.time_type = 'service'
        AND moment._deleted_at IS NULL
) AS service ON true
LEFT JOIN pco_services.service_types AS service_type
    ON service_type.org_id = plan.org_id AND service_type.id = plan.service_type_id
    AND service_type._deleted_at IS NULL
LEFT JOIN pco_services.teams AS team
    ON team.org_id = member.org_id AND team.id = member.team_id AND team._deleted_at IS NULL
LEFT JOIN pco_people.people AS person
    ON person.org_id = member.org_id AND person.id = member.person_id AND person._deleted_at IS NULL
LEFT JOIN pco_services.people AS server
    ON server.org_id = member.org_id AND server.id = member.person_id AND server._deleted_at IS NULL
WHERE member._deleted_at IS NULL
"""

SERVING_SCHEDULE: Final = View(
    name="serving_schedule",
    comment="Who is scheduled for which plan, in which team and position, and whether they accepted. Templates are"
    " left out.",
    sql=_SERVING_SCHEDULE,
    columns={
        "org_id": ORG_ID,
        "plan_id": "The plan's id in Planning Center.",
        "plan": "Its title; many have none.",
        "service_type": "The service type, such as Sunday morning.",
        "starts_at": "When the plan's first service begins, UTC.",
        "starts_at_local": "When the plan's first service begins, in the church's zone.",
        "team": "The team.",
        "position": "The position in the team.",
        "person_id": "Who serves.",
        "person": personal("That person's name."),
        "status": "`confirmed`, `unconfirmed` or `declined`.",
        "decline_reason": personal("Why it was declined."),
    },
)
