"""Who joined and left groups and lists, from the journal: Planning Center itself keeps no history of either."""

from typing import Final

from openfaith_pipeline.catalog.view import View
from openfaith_pipeline.catalog.words import personal
from openfaith_pipeline.planning_center.views.churches import ORG_ID

# A tombstone that is removed for good had left before.
# A deletion's entry has only the columns that changed; group and person are in the tombstone.
# The rows of the first sync all appear in one moment, which is that of the oldest row that is still there.
# Nobody joined or left by a rollback, nor by the change that it undid, unless that rollback is itself undone.
_MEMBERSHIP_CHANGES: Final = """
SELECT change.org_id, change.kind, change.group_or_list_id, change.group_or_list, change.person_id,
    person.name AS person, change.change,
    change.changed_at, change.changed_at AT TIME ZONE church.time_zone AS changed_at_local,
    change.is_first_sync, change.joined_at, change.joined_at AT TIME ZONE church.time_zone AS joined_at_local,
    change.sync_id
FROM (
    SELECT entry.id, entry.org_id, entry.table_name, entry.row_key, entry.cause, entry.sync_id, 'group' AS kind,
        whole.id AS group_or_list_id, whole.name AS group_or_list,
        coalesce(entry.after ->> 'person_id', entry.before ->> 'person_id', member.person_id) AS person_id,
        CASE WHEN entry.action IN ('insert', 'restore') THEN 'joined' ELSE 'left' END AS change,
        entry.changed_at, entry.action = 'insert' AND entry.changed_at <= first.seen_at AS is_first_sync,
        coalesce((entry.after ->> 'joined_at')::timestamptz, (entry.before ->> 'joined_at')::timestamptz,
            member.joined_at) AS joined_at
    FROM sync.journal AS entry
    LEFT JOIN pco_groups.memberships AS member
        ON member.org_id = entry.org_id AND member.id = entry.row_key ->> 'id'
    LEFT JOIN pco_groups.groups AS whole
        ON whole.org_id = entry.org_id
        AND whole.id = coalesce(entry.after ->> 'group_id', entry.before ->> 'group_id', member.group_id)
    LEFT JOIN (
        SELECT org_id, min(_first_seen_at) AS seen_at FROM pco_groups.memberships GROUP BY org_id
    ) AS first ON first.org_id = entry.org_id
    WHERE entry.table_name = 'pco_groups.memberships' AND entry.action <> 'update'
        AND NOT (entry.action = 'remove' AND entry.before ->> '_deleted_at' IS NOT NULL)
    UNION ALL
    SELECT entry.id, entry.org_id, entry.table_name, entry.row_key, entry.cause, entry.sync_id, 'list',
        list.id, coalesce(list.name, list.name_or_description),
        coalesce(entry.after ->> 'person_id', entry.before ->> 'person_id', result.person_id),
        CASE WHEN entry.action IN ('insert', 'restore') THEN 'joined' ELSE 'left' END,
        entry.changed_at, entry.action = 'insert' AND entry.changed_at <= first.seen_at, NULL
    FROM sync.journal AS entry
    LEFT JOIN pco_people.list_results AS result
        ON result.org_id = entry.org_id AND result.id = entry.row_key ->> 'id'
    LEFT JOIN pco_people.lists AS list
        ON list.org_id = entry.org_id
        AND list.id = coalesce(entry.after ->> 'list_id', entry.before ->> 'list_id', result.list_id)
    LEFT JOIN (
        SELECT org_id, min(_first_seen_at) AS seen_at FROM pco_people.list_results GROUP BY org_id
    ) AS first ON first.org_id = entry.org_id
    WHERE entry.table_name = 'pco_people.list_results' AND entry.action <> 'update'
        AND NOT (entry.action = 'remove' AND entry.before ->> '_deleted_at' IS NOT NULL)
) AS change
JOIN {schema}.churches AS church ON church.org_id = change.org_id
LEFT JOIN pco_people.people AS person
    ON person.org_id = change.org_id AND person.id = change.person_id AND person._deleted_at IS NULL
WHERE change.cause <> 'rollback' AND NOT EXISTS (
    SELECT FROM sync.rollbacks AS undone
    JOIN sync.journal AS undoing ON undoing.org_id = undone.org_id AND undoing.sync_id = undone.rollback_id
    WHERE undone.org_id = change.org_id AND undone.sync_id = change.sync_id AND undone.undone_at IS NULL
        AND undoing.table_name = change.table_name AND undoing.row_key = change.row_key AND undoing.id > change.id)
"""

MEMBERSHIP_CHANGES: Final = View(
    name="membership_changes",
    comment="Who joined or left which group or list, and when a sync saw it; as far back as the journal reaches,"
    " without syncs that were rolled back.",
    sql=_MEMBERSHIP_CHANGES,
    columns={
        "org_id": ORG_ID,
        "kind": "`group` or `list`.",
        "group_or_list_id": "Id of the group or list in Planning Center.",
        "group_or_list": "Name of the group or list, also of one that is gone by now.",
        "person_id": "Who joined or left.",
        "person": personal("That person's name."),
        "change": "`joined` or `left`.",
        "changed_at": "When a sync or webhook saw it, UTC.",
        "changed_at_local": "When a sync or webhook saw it, in the church's zone.",
        "is_first_sync": "Whether the person was there already when the church was first synced.",
        "joined_at": "When the person joined the group, by Planning Center, UTC; null for lists.",
        "joined_at_local": "The same in the church's zone.",
        "sync_id": "The sync that saw it.",
    },
)
