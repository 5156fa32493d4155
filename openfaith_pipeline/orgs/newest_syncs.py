"""The newest sync of each stream of an org, and within one sync its newest attempt at each stream: one statement each.

The newest is the one with the highest id, which was begun last; by its end, one that is running would be none.
"""

from typing import Final

NEWEST_ATTEMPTS: Final = """
SELECT DISTINCT ON (org_id, stream) * FROM sync.stream_syncs
 WHERE sync_id = %(sync_id)s ORDER BY org_id, stream, id DESC
"""
"""Of the sync, the newest row of each org and stream. A condition on the org around it is applied within."""


def newest_sync(org: str, stream: str) -> str:
    """SQL: the newest row of one stream. org, stream: SQL, such as the columns of the row that it is joined to.

    A subquery for each stream reads one entry of an index, where DISTINCT ON would read the org's whole history.
    """
    return (
        "SELECT * FROM sync.stream_syncs AS newest"  # noqa: S608 - parts of ours
        f" WHERE newest.org_id = {org} AND newest.stream = {stream} ORDER BY newest.id DESC LIMIT 1"
    )
