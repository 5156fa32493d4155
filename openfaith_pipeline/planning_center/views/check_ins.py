"""Attendance by event and week, from Check-Ins."""

from typing import Final

from openfaith_pipeline.catalog.view import View
from openfaith_pipeline.planning_center.views.churches import ORG_ID

_ATTENDANCE_BY_EVENT_WEEK: Final = """
SELECT counted.org_id, counted.event_id, event.name AS event,
    date_trunc('week', counted.starts_at AT TIME ZONE church.time_zone)::date AS week_begins_on,
    sum(counted.check_ins)::bigint AS check_ins,
    count(DISTINCT counted.person_id) AS people,
    count(*) FILTER (WHERE counted.kind = 'Regular') AS regulars,
    count(*) FILTER (WHERE counted.kind = 'Guest') AS guests,
    count(*) FILTER (WHERE counted.kind = 'Volunteer') AS volunteers,
    sum(counted.headcount)::bigint AS headcount,
    sum(counted.check_ins + counted.headcount)::bigint AS attendance
FROM (
    SELECT check_in.org_id, coalesce(check_in.event_id, period.event_id) AS event_id,
        coalesce(period.starts_at, check_in.created_at) AS starts_at, check_in.person_id, check_in.kind,
        1 AS check_ins, 0::bigint AS headcount
    FROM pco_check_ins.check_ins AS check_in
    LEFT JOIN pco_check_ins.event_periods AS period
        ON period.org_id = check_in.org_id AND period.id = check_in.event_period_id AND period._deleted_at IS NULL
    WHERE check_in._deleted_at IS NULL
    UNION ALL
    SELECT headcount.org_id, occasion.event_id, coalesce(occasion.starts_at, headcount.created_at), NULL, NULL, 0,
        coalesce(headcount.total, 0)
    FROM pco_check_ins.headcounts AS headcount
    JOIN pco_check_ins.event_times AS occasion
        ON occasion.org_id = headcount.org_id AND occasion.id = headcount.event_time_id AND occasion._deleted_at IS NULL
    WHERE headcount._deleted_at IS NULL
) AS counted
JOIN {schema}.churches AS church ON church.org_id = counted.org_id
LEFT JOIN pco_check_ins.events AS event
    ON event.org_id = counted.org_id AND event.id = counted.event_id AND event._deleted_at IS NULL
GROUP BY 1, 2, 3, 4
"""

ATTENDANCE_BY_EVENT_WEEK: Final = View(
    name="attendance_by_event_week",
    comment="How many came to each event in each week: check-ins, and headcounts of those who do not check in.",
    sql=_ATTENDANCE_BY_EVENT_WEEK,
    columns={
        "org_id": ORG_ID,
        "event_id": "The event's id in Planning Center.",
        "event": "Its name.",
        "week_begins_on": "The Monday of the week, in the church's zone; a Sunday belongs to the Monday before.",
        "check_ins": "Number of check-ins; someone who comes twice a week is counted twice.",
        "people": "Number of different people who checked in; guests without a record are not counted.",
        "regulars": "Check-ins of regulars.",
        "guests": "Check-ins of guests.",
        "volunteers": "Check-ins of volunteers.",
        "headcount": "Sum of the headcounts.",
        "attendance": "Check-ins and headcounts together.",
    },
)
