import dagster as dg

from openfaith_pipeline.defs.sensors import orgs_sensor
from openfaith_pipeline_tests.unit.defs.conftest import ORG_ID, FakeEngine


def test_partitions_follow_the_connected_orgs(instance: dg.DagsterInstance, engine: FakeEngine) -> None:
    engine.connected = ["org_new"]
    with dg.build_sensor_context(instance=instance, resources={"engine": engine}) as context:
        result = orgs_sensor(context)
    added, deleted = result.dynamic_partitions_requests
    assert added.partition_keys == ["org_new"]
    assert deleted.partition_keys == [ORG_ID]


def test_nothing_is_requested_when_they_agree(instance: dg.DagsterInstance, engine: FakeEngine) -> None:
    with dg.build_sensor_context(instance=instance, resources={"engine": engine}) as context:
        assert isinstance(orgs_sensor(context), dg.SkipReason)
