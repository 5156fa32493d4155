"""The partitions definition: one partition for each org."""

from collections.abc import Collection
from typing import Final

import dagster as dg

ORG: Final = dg.DynamicPartitionsDefinition(name="org")


def partition_changes(instance: dg.DagsterInstance, org_ids: Collection[str]) -> tuple[list[str], list[str]]:
    """Orgs without a partition, and partitions without an org."""
    known = instance.get_dynamic_partitions("org")
    return [org_id for org_id in org_ids if org_id not in known], [key for key in known if key not in org_ids]


def align_partitions(instance: dg.DagsterInstance, org_ids: Collection[str]) -> None:
    """Make the partitions equal to `org_ids` now instead of at the sensor's next tick."""
    new, gone = partition_changes(instance, org_ids)
    instance.add_dynamic_partitions("org", new)
    for key in gone:
        instance.delete_dynamic_partition("org", key)
