"""Planning Center Online into the OpenFaith database: durable, resumable syncs on Dagster."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openfaith_pipeline.defs.execution import sync_orgs as run_pco_sync

__all__ = ["run_pco_sync"]


def __getattr__(name: str) -> Any:
    """Load Dagster on first use: it takes over a second."""
    if name != "run_pco_sync":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from openfaith_pipeline.defs.execution import sync_orgs

    return sync_orgs
