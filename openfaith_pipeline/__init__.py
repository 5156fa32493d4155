"""Planning Center Online into the OpenFaith database: durable, resumable syncs on Dagster."""

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from openfaith_pipeline.defs.component import PlanningCenterComponent, planning_center_assets
    from openfaith_pipeline.defs.execution import sync_orgs as run_pco_sync

__all__ = ["PlanningCenterComponent", "planning_center_assets", "run_pco_sync"]

_PLACES: Final = {
    "PlanningCenterComponent": ("component", "PlanningCenterComponent"),
    "planning_center_assets": ("component", "planning_center_assets"),
    "run_pco_sync": ("execution", "sync_orgs"),
}


def __getattr__(name: str) -> Any:
    """Load Dagster on first use: it takes over a second."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module, attribute = _PLACES[name]
    return getattr(import_module(f"openfaith_pipeline.defs.{module}"), attribute)


def __dir__() -> list[str]:
    """Names for Dagster's component registry, which looks components up by name."""
    return [*globals(), *__all__]
