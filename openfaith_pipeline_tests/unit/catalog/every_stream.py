"""The declarations of every product, those included that are not registered yet."""

from openfaith_pipeline.catalog import (
    api,
    calendar,
    check_ins,
    giving,
    groups,
    people,
    people_more,
    publishing,
    registrations,
    registry_of,
    services,
    webhooks,
)

EVERY_STREAM = registry_of(
    (
        people,
        people_more,
        groups,
        giving,
        calendar,
        check_ins,
        services,
        registrations,
        publishing,
        webhooks,
        api,
    )
)
