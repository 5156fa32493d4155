"""Members of each group, and attendance at its meetings."""

from typing import Final

from openfaith_pipeline.catalog.view import View
from openfaith_pipeline.catalog.words import personal
from openfaith_pipeline.planning_center.views.churches import ORG_ID

_GROUP_ROSTERS: Final = """
SELECT membership.org_id, membership.group_id, whole.name AS "group", kind.name AS group_type,
    whole.archived_at IS NOT NULL AS is_archived, membership.person_id,
    coalesce(person.name, nullif(concat_ws(' ', participant.first_name, participant.last_name), '')) AS person,
    membership.role, membership.joined_at, membership.joined_at AT TIME ZONE church.time_zone AS joined_at_local
FROM pco_groups.memberships AS membership
JOIN {schema}.churches AS church ON church.org_id = membership.org_id
JOIN pco_groups.groups AS whole
    ON whole.org_id = membership.org_id AND whole.id = membership.group_id AND whole._deleted_at IS NULL
LEFT JOIN pco_groups.group_types AS kind
    ON kind.org_id = whole.org_id AND kind.id = whole.group_type_id AND kind._deleted_at IS NULL
LEFT JOIN pco_people.people AS person
    ON person.org_id = membership.org_id AND person.id = membership.person_id AND person._deleted_at IS NULL
LEFT JOIN pco_groups.people AS participant
    ON participant.org_id = membership.org_id AND participant.id = membership.person_id
    AND participant._deleted_at IS NULL
WHERE membership._deleted_at IS NULL
"""

GROUP_ROSTERS: Final = View(
    name="group_rosters",
    comment="Who is in which group now; `membership_changes` has who joined and left.",
    sql=_GROUP_ROSTERS,
    columns={
        "org_id": ORG_ID,
        "group_id": "The group's id in Planning Center.",
        "group": "Its name.",
        "group_type": "The type of the group, such as small groups.",
        "is_archived": "Whether the group is archived.",
        "person_id": "The member.",
        "person": personal("The member's name."),
        "role": "`member` or `leader`.",
        "joined_at": "When the member joined, UTC.",
        "joined_at_local": "When the member joined, in the church's zone.",
    },
)

_GROUP_ATTENDANCE: Final = """
SELECT attendance.org_id, meeting.group_id, whole.name AS "group", attendance.event_id, meeting.name AS event,
    meeting.starts_at, meeting.starts_at AT TIME ZONE church.time_zone AS starts_at_local,
    coalesce(meeting.canceled, false) AS is_canceled, attendance.person_id,
    coalesce(person.name, nullif(concat_ws(' ', participant.first_name, participant.last_name), '')) AS person,
    attendance.role, coalesce(attendance.attended, false) AS has_attended
FROM pco_groups.attendances AS attendance
JOIN {schema}.churches AS church ON church.org_id = attendance.org_id
JOIN pco_groups.events AS meeting
    ON meeting.org_id = attendance.org_id AND meeting.id = attendance.event_id AND meeting._deleted_at IS NULL
LEFT JOIN pco_groups.groups AS whole
    ON whole.org_id = meeting.org_id AND whole.id = meeting.group_id AND whole._deleted_at IS NULL
LEFT JOIN pco_people.people AS person
    ON person.org_id = attendance.org_id AND person.id = attendance.person_id AND person._deleted_at IS NULL
LEFT JOIN pco_groups.people AS participant
    ON participant.org_id = attendance.org_id AND participant.id = attendance.person_id
    AND participant._deleted_at IS NULL
WHERE attendance._deleted_at IS NULL
"""

GROUP_ATTENDANCE: Final = View(
    name="group_attendance",
    comment="Each person on the attendance sheet of each meeting of a group, present or absent.",
    sql=_GROUP_ATTENDANCE,
    columns={
        "org_id": ORG_ID,
        "group_id": "The group's id in Planning Center.",
        "group": "Its name.",
        "event_id": "The meeting's id in Planning Center.",
        "event": "The meeting's name.",
        "starts_at": "When the meeting began, UTC.",
        "starts_at_local": "When the meeting began, in the church's zone.",
        "is_canceled": "Whether the meeting was canceled.",
        "person_id": "The person on the sheet.",
        "person": personal("The person's name."),
        "role": "The person's role there: member, leader, visitor, ...",
        "has_attended": personal("Whether the person came."),
    },
)
