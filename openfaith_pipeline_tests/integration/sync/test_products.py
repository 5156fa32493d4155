"""All products: every table equals the source, and a product that a church may not see holds up nothing else."""

from psycopg import sql

from openfaith_pipeline.database import Database
from openfaith_pipeline.database.table_names import raw_name
from openfaith_pipeline.orgs.status import read_status
from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.faults import Script
from openfaith_pipeline.simulator.options import Traps
from openfaith_pipeline.simulator.server import made_up_churches, running_simulator
from openfaith_pipeline.sources import STREAMS, streams_of
from openfaith_pipeline.sync.results import SyncMode
from openfaith_pipeline_tests.integration.sync.church import (
    ALL,
    connect,
    differences,
    row_versions,
    statuses,
    sync,
)
from openfaith_pipeline_tests.integration.sync.kinds import (
    linked,
    linked_at_the_source,
    syncs_of_every_kind,
    written,
)
from openfaith_pipeline_tests.rates import GENEROUS

GROUPS, GIVING = streams_of(Product.GROUPS), streams_of(Product.GIVING)
CHURCHES, SYNCED = made_up_churches(1, people=16), ALL


def test_every_table_of_every_product_is_the_source(
    database: Database, simulator: SimulatorClient, synced_org: str
) -> None:
    org_id = synced_org
    assert differences(database, simulator, org_id, ALL) == []
    assert linked(database, org_id) == linked_at_the_source(simulator, org_id)
    assert any(linked(database, org_id).values())
    assert parentless(database, org_id) == {}

    for stream in ALL:
        if not stream.is_singleton:
            simulator.edit(org_id, stream.name, count=1)
    assert statuses(sync(database, org_id, ALL, mode=SyncMode.RECONCILE)) == {}
    assert differences(database, simulator, org_id, ALL) == []
    assert linked(database, org_id) == linked_at_the_source(simulator, org_id)
    assert parentless(database, org_id) == {}


def test_no_list_has_to_come_in_the_order_of_ids_even_while_it_changes(database: Database) -> None:
    chosen = [*GIVING, *GROUPS, *streams_of(Product.REGISTRATIONS)]
    long = [f"{product}.people" for product in ("giving", "groups")]
    with running_simulator(made_up_churches(1, people=230), rate_limit=GENEROUS) as simulator:
        [org_id] = connect(database, simulator)
        simulator.set_traps(org_id, Traps(own_order=tuple(STREAMS)))
        for stream in long:
            for action in ({"action": "add", "count": 3}, {"action": "delete", "ids": [1000, 1001]}):
                simulator.script(Script(stream=stream, skip=1, mutation={**action, "stream": stream}))
        assert statuses(sync(database, org_id, chosen, SyncMode.RECONCILE)) == {}
        assert differences(database, simulator, org_id, chosen) == []
        for stream in chosen:
            if not stream.is_singleton:
                simulator.edit(org_id, stream.name, count=2)
        for mode in (SyncMode.INCREMENTAL, SyncMode.RECONCILE):
            assert statuses(sync(database, org_id, chosen, mode)) == {}
        assert differences(database, simulator, org_id, chosen) == []


def parentless(database: Database, org_id: str) -> dict[str, int]:
    """The streams that `status` says have rows without their parent."""
    [status] = read_status(database, org_id, adapter="pco")
    assert {each.stream for each in status.streams} == {stream.name for stream in ALL}
    return {each.stream: each.parentless for each in status.streams if each.parentless}


def test_no_kind_of_sync_writes_anything_where_nothing_has_changed(
    database: Database, simulator: SimulatorClient, synced_org: str
) -> None:
    org_id = synced_org
    before = row_versions(database, ALL)
    for kind, streams, asked in syncs_of_every_kind():
        results = sync(database, org_id, streams, **asked)
        assert (statuses(results), written(results)) == ({}, {}), kind
        assert row_versions(database, ALL) == before, kind
    assert differences(database, simulator, org_id, ALL) == []
    assert linked(database, org_id) == linked_at_the_source(simulator, org_id)


def test_withheld_products_and_drift_are_reported_and_hold_up_nothing(
    database: Database, simulator: SimulatorClient
) -> None:
    [org_id] = connect(database, simulator)
    simulator.grant(org_id, [product.value for product in Product if product is not Product.GIVING])
    simulator.set_traps(
        org_id, Traps(silent_products=("groups",), forbidden_streams=("people.lists", "services.songs"))
    )
    simulator.edit(org_id, "people.emails", "all", attributes={"shoe_size": 44})
    simulator.edit(org_id, "people.tabs", "all", attributes={"sequence": "first"})
    simulator.edit(org_id, "people.campuses", "all", attributes={"parking": {"spaces": 3}})
    results = sync(database, org_id, ALL)
    assert {result.status for result in results.values()} == {"succeeded", "unavailable"}
    assert {results[stream.name].status for stream in GIVING} == {"unavailable"}
    assert sum(request["stream"] in {s.name for s in GIVING} for request in simulator.requests()) <= 1
    assert results["services.attachments"].status == "succeeded", "only some of its parents are withheld"
    assert results["people.emails"].drift == ["new shoe_size"]
    assert results["people.tabs"].drift == ["retyped sequence"]
    assert results["people.tabs"].quarantined == results["people.tabs"].fetched

    [status] = read_status(database, org_id, adapter="pco")
    told = {stream.stream: (stream.availability, stream.drift) for stream in status.streams}
    assert told["giving.donations"][0] == "not_granted"
    assert told["groups.groups"][0] == "silent"
    assert told["people.lists"][0] == told["services.songs"][0] == "forbidden"
    assert told["people.campuses"][1] == ["new parking"]


def test_rows_stay_when_a_product_is_withdrawn(database: Database, simulator: SimulatorClient, synced_org: str) -> None:
    org_id, chosen = synced_org, [*GIVING, *GROUPS]
    simulator.grant(org_id, ["groups"])
    simulator.set_traps(org_id, Traps(silent_products=("groups",)))
    results = sync(database, org_id, chosen, mode=SyncMode.RECONCILE)
    assert sum(result.deleted for result in results.values()) == 0
    simulator.grant(org_id, ["groups", "giving"])
    simulator.set_traps(org_id, Traps())
    assert differences(database, simulator, org_id, chosen) == []
    assert statuses(sync(database, org_id, chosen)) == {}


def test_a_record_that_included_lacks_though_its_parent_names_it_is_not_taken_for_deleted(
    database: Database, simulator: SimulatorClient, synced_org: str
) -> None:
    org_id = synced_org
    # A request for a single event time is answered 404, whether it is there or not.
    chosen = [*GIVING, *(STREAMS[f"calendar.{name}"] for name in ("events", "event_instances", "event_times"))]
    late = (
        "giving.designations",
        "giving.refunds",
        "giving.notes",
        "giving.designation_refunds",
        "calendar.event_times",
    )
    simulator.set_traps(org_id, Traps(lagging_includes=late))
    results = sync(database, org_id, chosen, mode=SyncMode.RECONCILE)
    assert {results[name].status for name in late} == {"incomplete"}
    assert [results[name].deleted for name in late] == [0, 0, 0, 0, 0]
    simulator.set_traps(org_id, Traps())
    assert statuses(sync(database, org_id, chosen, mode=SyncMode.RECONCILE)) == {}
    assert differences(database, simulator, org_id, chosen) == []


def test_a_type_among_several_that_are_read_together_can_be_forbidden(
    database: Database, simulator: SimulatorClient
) -> None:
    [org_id] = connect(database, simulator)
    simulator.set_traps(org_id, Traps(forbidden_streams=("groups.events",)))
    results = sync(database, org_id, GROUPS, mode=SyncMode.RECONCILE)
    assert results["groups.events"].status == "unavailable"
    assert results["groups.groups"].status == results["groups.locations"].status == "succeeded"
    assert differences(database, simulator, org_id, [STREAMS["groups.groups"]]) == []


def test_an_unconfirmed_path_that_is_absent_is_gone_around_and_requested_again_by_reconcile(
    database: Database, simulator: SimulatorClient
) -> None:
    [org_id] = connect(database, simulator)
    unconfirmed = [stream for stream in ALL if stream.is_unconfirmed]
    simulator.set_traps(org_id, Traps(absent_paths=tuple(stream.name for stream in unconfirmed)))
    results = sync(database, org_id, ALL)
    for stream in unconfirmed:
        assert results[stream.name].status == ("succeeded" if stream.fallback_path else "unavailable"), stream.name
    assert differences(database, simulator, org_id, [each for each in unconfirmed if each.fallback_path]) == []
    simulator.forget_requests()
    sync(database, org_id, ALL)
    probed = {request["target"].split("?")[0] for request in simulator.requests()}
    assert not probed & {stream.path for stream in unconfirmed}
    simulator.set_traps(org_id, Traps())
    results = sync(database, org_id, unconfirmed, mode=SyncMode.RECONCILE)
    assert {result.status for result in results.values()} == {"succeeded"}
    assert differences(database, simulator, org_id, unconfirmed) == []


def test_secrets_of_the_source_are_neither_requested_nor_kept(database: Database, simulator: SimulatorClient) -> None:
    [org_id] = connect(database, simulator)
    keepers = [stream for stream in ALL if stream.withheld]
    assert keepers
    sync(database, org_id, keepers)
    with database.connect() as connection:
        for stream in keepers:
            table = raw_name(stream)
            rows = connection.execute(sql.SQL("SELECT to_jsonb(t)::text FROM {} AS t").format(table)).fetchall()
            assert rows and not any(name in row for (row,) in rows for name in stream.withheld)


def test_rows_of_another_church_are_not_taken_for_this_ones(database: Database, simulator: SimulatorClient) -> None:
    campuses = [STREAMS["people.campuses"]]
    [org_id] = connect(database, simulator)
    sync(database, org_id, campuses)
    with database.connect(autocommit=True) as connection:
        connection.execute("UPDATE pco_people.campuses SET org_id = 'a church with the same campuses'")
    sync(database, org_id, campuses, mode=SyncMode.RECONCILE, sync_id="again")
    assert differences(database, simulator, org_id, campuses) == []
