"""The OpenFaith tables follow runs that materialize raw tables, unless those runs make them as well."""

from collections.abc import Callable
from functools import cache

import dagster as dg
import pytest

from openfaith_pipeline.defs.location import definitions
from openfaith_pipeline_tests.unit.defs.conftest import ORG_ID

EMAILS = dg.AssetKey(["pco_people", "emails"])
GROUP = dg.AssetSelection.groups("openfaith")


@pytest.fixture
def requested(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> Callable[[], set[str]]:
    """A function that evaluates the next tick and returns the tables requested for the one org."""
    # As the daemon keeps them for a tick; else they are queried thousands of times.
    monkeypatch.setattr(instance, "get_dynamic_partitions", cache(instance.get_dynamic_partitions))
    keys = GROUP.resolve(definitions().resolve_asset_graph())
    cursor = None

    def tick() -> set[str]:
        nonlocal cursor
        result = dg.evaluate_automation_conditions(definitions(), instance, GROUP, cursor=cursor)
        cursor = result.cursor
        return {key.path[-1] for key in keys if ORG_ID in result.get_requested_partitions(key)}

    # Dagster counts new events from the last one it has seen, so there has to be one.
    instance.report_runless_asset_event(dg.AssetMaterialization("something_else"))
    assert tick() == set()
    return tick


def test_a_run_of_raw_assets_alone_is_followed(run_assets: Callable, requested: Callable[[], set[str]]) -> None:
    assert run_assets("pco_people/emails").success
    assert requested() == {"emails", "externalLinks", "edges", "entityRelationships"}
    assert requested() == set()


def test_a_run_that_makes_the_tables_too_is_not(run_assets: Callable, requested: Callable[[], set[str]]) -> None:
    made = ("emails", "externalLinks", "edges", "entityRelationships")
    assert run_assets("pco_people/emails", *(f"openfaith/{table}" for table in made)).success
    assert requested() == set()


def test_reports_of_a_sweep_or_a_webhook_request_nothing(
    instance: dg.DagsterInstance, requested: Callable[[], set[str]]
) -> None:
    instance.report_runless_asset_event(dg.AssetMaterialization(EMAILS, partition=ORG_ID))
    assert requested() == set()
