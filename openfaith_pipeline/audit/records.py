"""Stored verification reports; the newest of each org is kept as long as the org exists."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from psycopg import Connection
from psycopg.rows import tuple_row
from psycopg.types.json import Jsonb

from openfaith_pipeline.audit.report import Verification

_KEEP: Final = """
INSERT INTO sync.verifications
    (verification_id, org_id, trigger, status, is_full, started_at, finished_at, requests, report)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
_NEWEST: Final = """
SELECT report || jsonb_build_object('trigger', trigger) FROM sync.verifications
WHERE org_id = %s ORDER BY finished_at DESC LIMIT %s
"""
_FORGET: Final = """
DELETE FROM sync.verifications AS old WHERE finished_at < now() - %s AND EXISTS (
    SELECT FROM sync.verifications AS newer WHERE newer.org_id = old.org_id AND newer.finished_at > old.finished_at)
"""


def keep_verification(connection: Connection[Any], report: Verification, trigger: str) -> None:
    """Store a finished report."""
    stored = (report.verification_id, report.org_id, trigger, report.status, report.is_full)
    times = (report.started_at, report.finished_at, report.requests)
    connection.execute(_KEEP, (*stored, *times, Jsonb(report.described())))


def newest_verifications(connection: Connection[Any], org_id: str, limit: int) -> list[Mapping[str, Any]]:
    """The org's reports, the newest first, each with its `trigger`."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        return [report for (report,) in cursor.execute(_NEWEST, (org_id, limit)).fetchall()]


def forget_verifications(connection: Connection[Any], older_than: timedelta) -> int:
    """Delete old reports, but not an org's newest; returns their number."""
    return connection.execute(_FORGET, (older_than,)).rowcount
