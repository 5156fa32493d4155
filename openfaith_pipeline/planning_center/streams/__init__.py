"""Planning Center's types: one declaration for each stream, one module for each product.

Everything about a stream (raw table, asset, checks, simulator endpoint, docs) is derived from its declaration. Belongs
here: Planning Center's types and their listings. Does not: how listings are read (`extract`), how records are mapped to
OpenFaith (`mapping`).
"""

from collections.abc import Mapping

from openfaith_pipeline.catalog.registry import registry_of
from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.planning_center.streams import (
    api,
    calendar,
    check_ins,
    giving,
    groups,
    people,
    people_lists,
    people_workflows,
    publishing,
    registrations,
    services,
    services_plans,
    services_scheduling,
    services_songs,
    services_teams,
    webhooks,
)

_PRODUCT_MODULES = (
    people,
    people_lists,
    people_workflows,
    groups,
    giving,
    calendar,
    check_ins,
    services,
    services_teams,
    services_songs,
    services_plans,
    services_scheduling,
    registrations,
    publishing,
    webhooks,
    api,
)

STREAMS: Mapping[str, Stream] = registry_of(_PRODUCT_MODULES)
"""Every stream by name, in declaration order: parents before their children."""
