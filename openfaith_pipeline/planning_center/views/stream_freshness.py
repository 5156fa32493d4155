"""When each stream was last synced: for programs that watch how old the rows are."""

from typing import Final

from openfaith_pipeline.catalog.view import View
from openfaith_pipeline.planning_center.views.churches import ORG_ID

# The row of an unchanged record is not written again, so `_synced_at` does not show how fresh a table is.
_STREAM_FRESHNESS: Final = """
SELECT state.org_id, state.stream, state.last_succeeded_at AS last_synced_at, org.paused_at IS NOT NULL AS is_paused
FROM sync.stream_states AS state
JOIN sync.orgs AS org ON org.org_id = state.org_id
WHERE org.removed_at IS NULL AND state.availability IN ('available', 'silent')
"""

STREAM_FRESHNESS: Final = View(
    name="stream_freshness",
    comment="When each stream of each church was last synced with success; streams that it may not read are left out.",
    sql=_STREAM_FRESHNESS,
    columns={
        "org_id": ORG_ID,
        "stream": "The stream: `people.emails` is table `pco_people.emails`.",
        "last_synced_at": "When its last successful sync ended, UTC; null before the first.",
        "is_paused": "Whether the church's syncs are paused.",
    },
)
