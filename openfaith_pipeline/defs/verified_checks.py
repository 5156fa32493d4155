"""The asset check `verified_equal`: how a table compared with Planning Center when it was last verified.

The nightly job reports it for each org. Executed in the UI, it verifies the chosen tables of the chosen orgs at once.
A sync does not execute it.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import dagster as dg

from openfaith_pipeline.audit.records import keep_verification
from openfaith_pipeline.audit.report import Part, Verification
from openfaith_pipeline.audit.verification import Extent, verify_org
from openfaith_pipeline.database import Database
from openfaith_pipeline.defs.asset_metadata import asset_key
from openfaith_pipeline.defs.canonical_assets import canonical_key
from openfaith_pipeline.defs.database_resource import DatabaseResource
from openfaith_pipeline.defs.op_errors import acted_on
from openfaith_pipeline.defs.partitions import ORG
from openfaith_pipeline.defs.run_handle import current_caller
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.transform import SOURCES

VERIFIED: Final = "verified_equal"
_STREAMS: Final = {asset_key(stream): stream for stream in STREAMS.values()}
_TABLES: Final = {canonical_key(table): table for table in SOURCES}
_SAID: Final = ("missing", "extra", "different", "behind")

CHECK_KEYS: Final = tuple(dg.AssetCheckKey(key, VERIFIED) for key in (*_STREAMS, *_TABLES))


def verify_now(database: Database, org_id: str, extent: Extent, trigger: str) -> Verification:
    """Verify, and keep the report."""
    report: Verification = current_caller().run(verify_org(database, org_id, extent))
    with database.connect() as connection:
        keep_verification(connection, report, trigger)
    return report


def judged_parts(report: Verification) -> Iterator[tuple[dg.AssetKey, Part]]:
    """By asset, the parts of a report about which there is anything to say."""
    parts = [(asset_key(STREAMS[name]), part) for name, part in report.streams.items()]
    parts += [(canonical_key(table), part) for table, part in report.canonical.items()]
    yield from ((key, part) for key, part in parts if part.status != "withheld")


def result_of(report: Verification, part: Part) -> Mapping[str, Any]:
    """A part's check result, without its asset. Nothing in it is personal data."""
    counts = part.counts()
    compared = {"compared": part.compared} if part.compared else {}
    metadata = {"rows": part.row_count, **compared, **{name: counts[name] for name in _SAID}}
    mends = [finding.mend(report.org_id) for finding in part.findings if not finding.is_behind]
    told = {"mend": mends[0]} if mends else {}
    return {
        "passed": part.status == "equal",
        "severity": dg.AssetCheckSeverity.WARN,
        "description": part.incomplete or part.status,
        "metadata": {**metadata, **told, "verification": report.verification_id},
    }


def verified_checks() -> dg.AssetChecksDefinition:
    """`verified_equal` of every table."""
    specs = [
        dg.AssetCheckSpec(
            VERIFIED,
            asset=key,
            description="Whether the table equals its source: a sample of records and their number, every row with the"
            " journal, every OpenFaith row with its records.",
            partitions_def=ORG,
        )
        for key in (*_STREAMS, *_TABLES)
    ]

    @dg.multi_asset_check(name="verify_tables", specs=specs, can_subset=True)
    def verify_tables(
        context: dg.AssetCheckExecutionContext, database: DatabaseResource
    ) -> Iterator[dg.AssetCheckResult]:
        op_context = context.op_execution_context
        wanted = {key.asset_key for key in op_context.selected_asset_check_keys}
        streams = [stream for key, stream in _STREAMS.items() if key in wanted]
        extent = Extent(streams, with_canonical=not wanted.isdisjoint(_TABLES))
        with acted_on(op_context):
            report = verify_now(database.database, op_context.partition_key, extent, "ui")
        for key, part in judged_parts(report):
            if key in wanted:
                yield dg.AssetCheckResult(asset_key=key, check_name=VERIFIED, **result_of(report, part))

    return verify_tables
