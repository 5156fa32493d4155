"""The asset check `verified_equal`: how a table compared with Planning Center when it was last verified.

The nightly job reports it for each org. The check has no definition of its own: Dagster executes every defined check of
the assets that a run selects, so each sync of some streams would verify them.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import dagster as dg

from openfaith_pipeline.audit.records import keep_verification
from openfaith_pipeline.audit.report import Part, Verification
from openfaith_pipeline.audit.verification import Extent, verify_org
from openfaith_pipeline.database import Database
from openfaith_pipeline.defs.asset_metadata import asset_key
from openfaith_pipeline.defs.placement import canonical_key
from openfaith_pipeline.defs.run_handle import current_caller
from openfaith_pipeline.sources import STREAMS

VERIFIED: Final = "verified_equal"
_SAID: Final = ("missing", "extra", "different", "behind")


def verify_now(database: Database, org_id: str, extent: Extent, trigger: str) -> Verification:
    """Verify, and keep the report."""
    report: Verification = current_caller().run(verify_org(database, org_id, extent))
    with database.connect() as connection:
        keep_verification(connection, report, trigger)
    return report


def judged_parts(report: Verification) -> Iterator[tuple[dg.AssetKey, Part]]:
    """The parts of a report that have a result, by asset."""
    parts = [(asset_key(STREAMS[name]), part) for name, part in report.streams.items()]
    parts += [(canonical_key(table), part) for table, part in report.canonical.items()]
    yield from ((key, part) for key, part in parts if part.status != "withheld")


def result_of(report: Verification, part: Part) -> Mapping[str, Any]:
    """A part's check result, without its asset and without personal data."""
    counts = part.counts()
    compared = {"compared": part.compared} if part.compared else {}
    metadata = {"rows": part.row_count, **compared, **{name: counts[name] for name in _SAID}}
    mends = [finding.mend(report.org_id) for finding in part.findings if not finding.is_behind]
    told = {"mend": mends[0]} if mends else {}
    return {
        "passed": part.status == "equal",
        "severity": dg.AssetCheckSeverity.WARN,
        "description": part.reason or part.status,
        "metadata": {**metadata, **told, "verification": report.verification_id},
    }
